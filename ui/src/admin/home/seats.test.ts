import { describe, expect, it } from "vitest";
import type { Container, Stream } from "../../api/types";
import { assign, guests, initials, seatLabel, seatState, seatsOf } from "./seats";

const loge = (user_id: string, over: Partial<Container> = {}): Container => ({
  user_id,
  username: user_id,
  runtime: "docker",
  state: "ready",
  health: "healthy",
  image: "w",
  limits: { memory_bytes: 512, cpus: 0.5, pids: 10 },
  usage: { cpu_percent: 10, cpu_of_quota_percent: 20, memory_bytes: 128, pids: 3 },
  restarts: 0,
  circuit: "closed",
  oom_count: 0,
  lent_cpus: 0,
  isolation: [],
  ...over,
});
const stream = (user_id: string, over: Partial<Stream> = {}): Stream => ({
  play_id: `p-${user_id}`,
  user_id,
  username: user_id,
  title_id: "t",
  title_name: "Faust",
  method: "direct",
  quality: "original",
  reasons: [],
  started_at: "",
  position_s: 1,
  duration_s: 10,
  bytes_sent: 0,
  rate_bps: 0,
  address: "",
  paused: false,
  ...over,
});

describe("seats", () => {
  it("keeps people where they are and seats newcomers nearest the middle", () => {
    const first = assign([], ["a", "b"], 6);
    expect(first).toEqual([null, null, "a", "b", null, null]);
    const second = assign(first, ["b", "c"], 6);
    expect(second).toEqual([null, null, "c", "b", null, null]);
  });

  it("shows everyone even when the house is overfull", () => {
    expect(assign([], ["a", "b", "c"], 2).filter(Boolean)).toHaveLength(3);
  });

  it("survives a smaller house", () => {
    const seats = assign(["a", null, null, null, null, "b"], ["a", "b"], 2);
    expect(seats.filter(Boolean).sort()).toEqual(["a", "b"]);
  });

  it("counts neither the house nor the absent as guests, oldest first", () => {
    const all = [loge("house"), loge("late", { started_at: "2026-01-02" }), loge("gone", { state: "absent" }), loge("early", { started_at: "2026-01-01" })];
    expect(guests(all)).toEqual(["early", "late"]);
  });

  it("says what a box is doing", () => {
    expect(seatState(null, null)).toBe("empty");
    expect(seatState(loge("a"), null)).toBe("idle");
    expect(seatState(loge("a"), stream("a"))).toBe("playing");
    expect(seatState(loge("a"), stream("a", { paused: true }))).toBe("paused");
    expect(seatState(loge("a", { health: "unhealthy" }), stream("a"))).toBe("unwell");
    expect(seatState(loge("a", { state: "failed" }), stream("a"))).toBe("failed");
  });

  it("prefers a running stream over a paused one and counts the rest", () => {
    const [seat] = seatsOf(["a"], [loge("a")], [stream("a", { play_id: "1", paused: true }), stream("a", { play_id: "2" })]);
    expect(seat?.stream?.play_id).toBe("2");
    expect(seat?.others).toBe(1);
  });

  it("reads well", () => {
    const [seat] = seatsOf(["Ana"], [loge("Ana")], [stream("Ana")]);
    expect(seat && seatLabel(seat)).toBe("Ana, watching, Faust, direct, CPU 20 % of its limit, memory 25 % of its limit");
    expect(initials("Oma Ilse")).toBe("OI");
    expect(initials("ana")).toBe("A");
    expect(initials("  ")).toBe("?");
  });
});
