// Who sits where: containers and streams become the boxes of the theatre.
import type { Container, Stream } from "../../api/types";
import { centreOut } from "./arc";

export type SeatState = "empty" | "starting" | "idle" | "playing" | "paused" | "stopping" | "failed" | "unwell";

export interface Seat {
  index: number;
  state: SeatState;
  container: Container | null;
  /** The stream shown in the box; `others` counts further ones of the same person. */
  stream: Stream | null;
  others: number;
}

export const HOUSE = "house";

const present = (c: Container) => c.user_id !== HOUSE && c.state !== "absent";

/** Keeps everyone on the seat they have; newcomers take the free seat nearest the middle. */
export function assign(before: readonly (string | null)[], now: readonly string[], max: number): (string | null)[] {
  const size = Math.max(max, now.length, 1);
  const seats: (string | null)[] = Array.from({ length: size }, () => null);
  const placed = new Set<string>();
  before.forEach((id, i) => {
    if (id && i < size && now.includes(id)) {
      seats[i] = id;
      placed.add(id);
    }
  });
  const free = centreOut(size).filter((i) => seats[i] === null);
  for (const id of now) {
    if (placed.has(id)) continue;
    const seat = free.shift();
    if (seat !== undefined) seats[seat] = id;
  }
  return seats;
}

export function seatState(container: Container | null, stream: Stream | null): SeatState {
  if (!container || container.state === "absent") return "empty";
  if (container.state === "failed") return "failed";
  if (container.state === "starting") return "starting";
  if (container.state === "stopping") return "stopping";
  if (container.health === "unhealthy") return "unwell";
  if (!stream) return "idle";
  return stream.paused ? "paused" : "playing";
}

export function seatsOf(places: readonly (string | null)[], containers: readonly Container[], streams: readonly Stream[]): Seat[] {
  return places.map((id, index) => {
    const container = id ? (containers.find((c) => c.user_id === id) ?? null) : null;
    const own = id ? streams.filter((s) => s.user_id === id) : [];
    const stream = own.find((s) => !s.paused) ?? own[0] ?? null;
    return { index, state: seatState(container, stream), container, stream, others: Math.max(0, own.length - 1) };
  });
}

/** Ids of everyone with a loge that is more than a memory, oldest first so that seats are stable across reloads. */
export function guests(containers: readonly Container[]): string[] {
  return containers
    .filter(present)
    .sort((a, b) => (a.started_at ?? "").localeCompare(b.started_at ?? "") || a.user_id.localeCompare(b.user_id))
    .map((c) => c.user_id);
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return (
    letters
      .map((w) => [...(w ?? "")][0] ?? "")
      .join("")
      .toLocaleUpperCase() || "?"
  );
}

const WORDS: Record<SeatState, string> = {
  empty: "free",
  starting: "starting",
  idle: "signed in, nothing playing",
  playing: "watching",
  paused: "paused",
  stopping: "stopping",
  failed: "failed",
  unwell: "not answering well",
};

export const seatWord = (state: SeatState): string => WORDS[state];

/** What a screen reader hears for one box. */
export function seatLabel(seat: Seat): string {
  if (!seat.container) return `Seat ${seat.index + 1}, free`;
  const parts = [seat.container.username, seatWord(seat.state)];
  if (seat.stream) parts.push(seat.stream.title_name, seat.stream.method);
  const use = seat.container.usage;
  if (use) {
    parts.push(`CPU ${Math.round(use.cpu_of_quota_percent)} % of its limit`);
    parts.push(`memory ${Math.round((use.memory_bytes / seat.container.limits.memory_bytes) * 100)} % of its limit`);
  }
  if (seat.state === "failed" && seat.container.reason) parts.push(seat.container.reason);
  return parts.join(", ");
}
