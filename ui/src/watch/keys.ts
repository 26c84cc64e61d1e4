// Which key means what, apart from the element it acts on.

export type Order =
  | { do: "toggle" | "mute" | "subtitles" | "fullscreen" | "pip" | Panel | "back" }
  | { do: "by"; seconds: number }
  | { do: "to"; share: number }
  | { do: "louder"; by: number }
  | { do: "faster"; by: 1 | -1 };

/** Leaves that lie over the picture, one at a time. */
export type Panel = "receipt" | "keys" | "options" | "chapters";

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Null when the key is not ours. On a focused control, Space and Enter belong to that control. */
export function orderOf(pressed: Pressed, onControl: boolean): Order | null {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null;
  const key = pressed.key.length === 1 ? pressed.key.toLowerCase() : pressed.key;
  if (onControl && (key === " " || key === "Enter")) return null;
  if (/^[0-9]$/.test(key)) return { do: "to", share: Number(key) / 10 };
  switch (key) {
    case " ":
    case "k":
    case "MediaPlayPause":
      return { do: "toggle" };
    case "j":
      return { do: "by", seconds: -10 };
    case "l":
      return { do: "by", seconds: 10 };
    case "ArrowLeft":
      return { do: "by", seconds: -5 };
    case "ArrowRight":
      return { do: "by", seconds: 5 };
    case "ArrowUp":
      return { do: "louder", by: 0.05 };
    case "ArrowDown":
      return { do: "louder", by: -0.05 };
    case "m":
      return { do: "mute" };
    case "c":
      return { do: "subtitles" };
    case "f":
      return { do: "fullscreen" };
    case "p":
      return { do: "pip" };
    case "i":
      return { do: "receipt" };
    case "o":
      return { do: "options" };
    case "h":
      return { do: "chapters" };
    case "?":
      return { do: "keys" };
    case "<":
      return { do: "faster", by: -1 };
    case ">":
      return { do: "faster", by: 1 };
    case "Escape":
    case "BrowserBack":
    case "GoBack":
      return { do: "back" };
    default:
      return null;
  }
}

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2] as const;

export function nextSpeed(now: number, by: 1 | -1): number {
  const at = SPEEDS.findIndex((s) => s >= now - 0.001);
  return SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (at < 0 ? SPEEDS.length - 1 : at) + by))] ?? 1;
}
