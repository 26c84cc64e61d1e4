// How loud somebody likes it on this device.
export interface Volume {
  volume: number;
  muted: boolean;
}
const KEY = "loge-volume";

export function rememberedVolume(): Volume {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null") as Partial<Volume> | null;
    const volume = typeof kept?.volume === "number" && kept.volume >= 0 && kept.volume <= 1 ? kept.volume : 1;
    return { volume, muted: kept?.muted === true };
  } catch {
    return { volume: 1, muted: false };
  }
}

export function rememberVolume(volume: Volume) {
  try {
    localStorage.setItem(KEY, JSON.stringify(volume));
  } catch {
    // Without storage every film begins at full volume.
  }
}
