// The one line that answers "is everything fine?". The server words it; only a lost connection is worded here.
import type { Vitals } from "../../api/types";

export type Level = "good" | "attention" | "trouble" | "waiting";

export interface Sentence {
  level: Level;
  text: string;
  href?: string;
}

const STALE_MS = 10_000;

export function sentenceOf(vitals: Vitals | null, connected: boolean, now: number): Sentence {
  if (!vitals) return { level: "waiting", text: connected ? "Reading the state of the server…" : "Waiting for Loge to answer…" };
  const age = now - Date.parse(vitals.at);
  if (!connected && age > STALE_MS) {
    return { level: "attention", text: `Loge has not answered for ${Math.round(age / 1000)} s. Streams may still be running; this page keeps trying.` };
  }
  const { level, text, href } = vitals.sentence;
  // A number and its unit stay on one line.
  const whole = text.replace(/(\d) (?=(?:%|°C|[kMGT]?B|s|min|h|d)(?![A-Za-z]))/g, "$1\u00a0");
  return href ? { level, text: whole, href } : { level, text: whole };
}
