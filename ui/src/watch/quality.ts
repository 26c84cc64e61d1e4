// Which quality somebody chose on this device, and how a play comes to show it.
import type { Play } from "../api/types";

const KEY = "loge-quality";

/**
 * How to come from a play, asked for with `asked`, to what is chosen now; null is the house's own choice.
 * `stay`: it is that already. `level`: its playlist has it. `play`: another play has to be asked for.
 */
export function changeTo(play: Pick<Play, "quality" | "qualities" | "method">, asked: string | null, chosen: string | null): "stay" | "level" | "play" {
  const several = play.qualities.filter((one) => one.in_playlist).length > 1;
  if (chosen === null) return asked === null ? (several ? "level" : "stay") : "play";
  const one = play.qualities.find((quality) => quality.id === chosen);
  // A film that has no such quality is played as the house thinks best.
  if (!one) return "stay";
  if (one.in_playlist) return several ? "level" : "stay";
  return play.quality === chosen ? "stay" : "play";
}

/** Half of what the original takes: what to expect of a way that did not carry it. Null where there is nothing smaller. */
export function slower(play: Pick<Play, "qualities">): number | null {
  const original = play.qualities.find((one) => one.kind === "original");
  return original && play.qualities.some((one) => one.kind === "rendition") ? Math.round(original.bitrate_bps / 2) : null;
}

export function rememberedQuality(): string | null {
  try {
    const kept = localStorage.getItem(KEY);
    return kept && /^(original|\d{3,4}p)$/.test(kept) ? kept : null;
  } catch {
    return null;
  }
}

/** `null` is the house's own choice. */
export function rememberQuality(quality: string | null) {
  try {
    if (quality === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, quality);
  } catch {
    // Without storage the house chooses every time.
  }
}
