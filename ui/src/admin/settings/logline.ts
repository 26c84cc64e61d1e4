// A line of the server's JSON log as one readable line of text.
import type { LogLine } from "../../api/types";

const KNOWN = new Set(["timestamp", "level", "target", "message", "fields", "span", "spans"]);

const text = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

export function readable(line: LogLine): string {
  const fields: Record<string, unknown> = { ...(typeof line.fields === "object" && line.fields ? line.fields : {}) };
  if (typeof line.route === "string") return request(line, line.route);
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

/** A line of the log of requests. */
function request(line: LogLine, route: string): string {
  const at = typeof line.timestamp === "string" ? line.timestamp.slice(11, 23) : "";
  const by = line.user ? `by ${text(line.user)}` : "";
  return [at, text(line.status), text(line.method), route, `${text(line.took_ms)} ms`, by].filter((part) => part !== "").join(" ");
}
