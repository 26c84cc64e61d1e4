// Which quality somebody chose on this device.
const KEY = "loge-quality";

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
