// Which subtitle is shown: what somebody chose on this device before, else what the house says.
import type { SubtitleTrack } from "../api/types";

const KEY = "loge-subtitles";

/** Nothing, or words in a language, perhaps only the forced ones. */
export type Habit = "off" | { language: string; forced: boolean };

/** The index of the track, or null for none. */
export function pick(tracks: readonly SubtitleTrack[], habit: Habit | null): number | null {
  if (habit === "off") return null;
  const open = tracks.filter((track) => track.url !== null);
  // The very tag first, then the same language: `pt-BR` for who chose `pt` in another film.
  const spoken = (tag: string | null | undefined) => tag?.split("-")[0];
  const fits =
    habit === null
      ? undefined
      : (open.find((track) => track.language === habit.language && track.forced === habit.forced) ??
        open.find((track) => spoken(track.language) === spoken(habit.language) && track.forced === habit.forced));
  return (fits ?? open.find((track) => track.default))?.index ?? null;
}

/** What switching on means: what was on before, what the house would show, or the first there is. */
export function firstOf(tracks: readonly SubtitleTrack[], before: number | null): number | null {
  const open = tracks.filter((track) => track.url !== null);
  return (open.find((track) => track.index === before) ?? open.find((track) => track.default) ?? open.find((track) => !track.forced) ?? open[0])?.index ?? null;
}

export function habitOf(track: SubtitleTrack | undefined): Habit | null {
  if (!track) return "off";
  return track.language ? { language: track.language, forced: track.forced } : null;
}

export function rememberedHabit(): Habit | null {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null") as Partial<Exclude<Habit, "off">> | "off" | null;
    if (kept === "off") return kept;
    return typeof kept?.language === "string" ? { language: kept.language, forced: kept.forced === true } : null;
  } catch {
    return null;
  }
}

export function rememberHabit(habit: Habit | null) {
  try {
    if (habit !== null) localStorage.setItem(KEY, JSON.stringify(habit));
  } catch {
    // Without storage the house chooses every time.
  }
}
