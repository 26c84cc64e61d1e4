import { expect, test } from "vitest";
import type { Backup, Backups } from "../../api/types";
import { brief, stateOf, whereOf } from "./sentence";

const NOW = Date.parse("2026-12-01T12:00:00Z");
const item: Backup = { name: "a", kind: "scheduled", made_at: "2026-12-01T03:00:00Z", size_bytes: 5000, proven: false, here: true, places: [] };
const all: Backups = { work: "idle", possible: true, enabled: true, at: "03:30", folder: "/data/backups", key_sealed: false, items: [item], places: [] };

test("what is wrong is said before what is well", () => {
  const proven = { ...all, proven_at: "2026-11-29T12:00:00Z" };
  expect(stateOf(proven, NOW)).toEqual({ tone: "good", text: "Last proven 2 days ago." });
  expect(stateOf({ ...proven, last_try: { at: "2026-12-01T03:30:00Z", problem: "The disk is full." } }, NOW)).toEqual({
    tone: "attention",
    text: "The disk is full.",
  });
  expect(stateOf({ ...proven, last_proof: { at: "x", backup: "a", problem: "It is damaged." } }, NOW).text).toContain("It is damaged.");
  expect(stateOf({ ...proven, work: "proving" }, NOW).text).toContain("tried out");
  expect(stateOf({ ...all, items: [] }, NOW).text).toContain("tonight");
  expect(stateOf({ ...all, items: [], enabled: false }, NOW).tone).toBe("attention");
  expect(stateOf({ ...all, possible: false }, NOW).text).toContain("PostgreSQL");
});

test("the owner's home has one short line", () => {
  expect(brief(all, NOW)?.text).toBe("Last backup 9 hours ago, not proven yet");
  expect(brief({ ...all, proven_at: "2026-11-29T12:00:00Z" }, NOW)).toEqual({ tone: "good", text: "Last backup 9 hours ago, last proven 2 days ago" });
  expect(brief({ ...all, items: [] }, NOW)?.text).toBe("First backup tonight");
  expect(brief({ ...all, items: [], enabled: false }, NOW)?.tone).toBe("attention");
  expect(brief({ ...all, possible: false }, NOW)).toBeNull();
});

test("a backup says where it lies", () => {
  const places = [
    { id: "m1", path: "/mnt/usb", waiting: 0 },
    { id: "m2", path: "/mnt/nas", waiting: 0 },
  ];
  expect(whereOf({ ...item, places: ["m2"] }, { ...all, places })).toBe("this machine, /mnt/nas");
  expect(whereOf({ ...item, here: false, places: ["m1", "gone"] }, { ...all, places })).toBe("/mnt/usb");
});
