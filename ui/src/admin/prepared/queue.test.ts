import { describe, expect, it } from "vitest";
import type { Rendition } from "../../api/types";
import { canBeFirst, fromGB, isOpen, line, toGB, word } from "./queue";

const item = (more: Partial<Rendition>): Rendition => ({
  id: "1",
  title_id: "2",
  title_name: "Salt Road",
  quality: "720p",
  state: "queued",
  progress: 0,
  size_bytes: 0,
  eta_s: null,
  reason: null,
  by_house: false,
  ...more,
});

describe("the queue of prepared versions", () => {
  it("says what happens to each", () => {
    expect(word(item({ state: "running" }))).toBe("Being made");
    expect(line(item({ state: "running", progress: 0.25, eta_s: 600 }))).toContain("10");
    expect(line(item({ state: "paused", progress: 0.25, reason: "Somebody is watching." }))).toContain("Somebody is watching.");
    expect(line(item({ by_house: true }))).toBe("picked by the night shift");
    expect(line(item({ state: "done", progress: 1, by_house: true }))).toBe("");
    expect([isOpen(item({ state: "paused" })), isOpen(item({ state: "failed" }))]).toEqual([true, false]);
  });

  it("offers the first place to those who do not have it", () => {
    const items = [item({ id: "a", state: "running" }), item({ id: "b" }), item({ id: "c", state: "done" })] as const;
    expect(items.map((one) => canBeFirst(items, one))).toEqual([false, true, false]);
  });

  it("counts space as the server does", () => {
    expect(toGB(fromGB(100) ?? 0)).toBe(100);
    expect(fromGB(Number.NaN)).toBeUndefined();
    expect(fromGB(0)).toBeUndefined();
  });
});
