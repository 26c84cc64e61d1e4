// A line of the server's JSON log as one readable line of text.
import type { LogLine } from "../../api/types";

const KNOWN = new Set(["timestamp", "level", "target", "message", "fields", "span", "spans"]);

const text = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

export function readable(line: LogLine): string {
  const fields: Record<string, unknown> = { ...(typeof line.fields === "object" && line.fields ? line.fields : {}) };
  const message = text(line.message ?? fields.message ?? "");
  fields.message = undefined;
  for (const [key, value] of Object.entries(line)) if (!KNOWN.has(key)) fields[key] = value;
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${text(value)}`)
    .join(" ");
  const at = typeof line.timestamp === "string" ? line.timestamp.slice(11, 23) : "";
  return [at, String(line.level ?? "").padEnd(5), line.target ? `${text(line.target)}:` : "", message, rest].filter((part) => part.trim() !== "").join(" ");
}
