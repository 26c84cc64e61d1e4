// Numbers as people read them. Pure; `now` is an argument, so that tests need no clock.

const NBSP = " ";

/** 1.4 GB, 820 MB. Decimal, like the labels on disks. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let size = Math.max(0, value);
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size < 9.95 && unit > 2 ? size.toFixed(1) : Math.round(size)}${NBSP}${units[unit]}`;
}

/** 1 h 42 min, 4 min, 38 s: how long a film is. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds <= 0) return "";
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))}${NBSP}s`;
  const minutes = Math.round(seconds / 60);
  const h = Math.floor(minutes / 60);
  const m = minutes % 60;
  return h === 0 ? `${m}${NBSP}min` : m === 0 ? `${h}${NBSP}h` : `${h}${NBSP}h ${m}${NBSP}min`;
}

/** 1:02:09 or 4:05: where in a film. */
export function clock(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const h = Math.floor(whole / 3600);
  const m = Math.floor((whole % 3600) / 60);
  const s = String(whole % 60).padStart(2, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** "3 minutes ago", "yesterday". */
export function ago(at: string | number | Date, now: number, locale = "en"): string {
  const time = new Date(at).getTime();
  if (Number.isNaN(time)) return "";
  const seconds = Math.round((time - now) / 1000);
  if (Math.abs(seconds) < 45) return "just now";
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ["minute", 60],
    ["hour", 3600],
    ["day", 86_400],
    ["week", 604_800],
    ["month", 2_629_800],
    ["year", 31_557_600],
  ];
  let best = steps[0] as [Intl.RelativeTimeFormatUnit, number];
  for (const step of steps) if (Math.abs(seconds) >= step[1] * 0.95) best = step;
  return format.format(Math.round(seconds / best[1]), best[0]);
}

export function exact(at: string | number | Date, locale = "en"): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** 4K, 1080p, 720p: what people call it, decided by the longer side too, because films are often wider than 16:9. */
export function resolution(width: number, height: number): string {
  if (width <= 0 || height <= 0) return "";
  for (const [name, w, h] of [
    ["8K", 7000, 4000],
    ["4K", 3600, 2000],
    ["1440p", 2500, 1400],
    ["1080p", 1800, 1000],
    ["720p", 1200, 700],
    ["576p", 1000, 560],
    ["480p", 800, 470],
  ] as const) {
    if (width >= w || height >= h) return name;
  }
  return `${height}p`;
}

const CODECS: Record<string, string> = {
  h264: "H.264",
  avc1: "H.264",
  hevc: "H.265",
  h265: "H.265",
  av1: "AV1",
  vp8: "VP8",
  vp9: "VP9",
  mpeg4: "MPEG-4",
  mpeg2video: "MPEG-2",
  aac: "AAC",
  mp3: "MP3",
  ac3: "AC-3",
  eac3: "E-AC-3",
  dts: "DTS",
  flac: "FLAC",
  opus: "Opus",
  vorbis: "Vorbis",
  truehd: "TrueHD",
};
export const codec = (name: string): string => CODECS[name.toLowerCase()] ?? name.toUpperCase();
