import { describe, expect, it } from "vitest";
import { ago, bits, daysToFull, eta, exact, limit, rate, span } from "./words";

const check = (pairs: [string, string][]) => {
  for (const [said, expected] of pairs) expect(said.replaceAll(" ", " ")).toBe(expected);
};

describe("words", () => {
  it("says sizes and speeds", () =>
    check([
      [limit(512 * 1048576), "512 MB"],
      [limit(1.5 * 1073741824), "1.5 GB"],
      [bits(940e6), "940 Mbit/s"],
      [bits(1e9), "1.0 Gbit/s"],
      [rate(18.4, "files"), "18 files/s"],
      [rate(0, "files"), ""],
    ]));
  it("says how long", () =>
    check([
      [eta(null), ""],
      [eta(-1), ""],
      [eta(2), "a few seconds"],
      [eta(16), "about 15 s"],
      [eta(200), "about 3 min"],
      [eta(3600), "about 1 h"],
      [eta(4800), "about 1 h 20 min"],
      [eta(7190), "about 2 h"],
      [eta(400000), "about 5 days"],
      [span(59), "59 s"],
      [span(93000), "1 d 1 h"],
    ]));
  it("says when, and never when never", () => {
    const now = Date.parse("2026-11-23T20:00:00Z");
    check([
      [ago(null), "never"],
      [ago("2026-11-23T19:59:30Z", now), "just now"],
      [ago("2026-11-23T18:00:00Z", now), "2 hours ago"],
      [exact(null), ""],
    ]);
  });
  it("only promises a full disk when it is filling", () => {
    expect(daysToFull(100, 100, 3600)).toBeNull();
    expect(daysToFull(100, 90, 30)).toBeNull();
    expect(daysToFull(100e9, 90e9, 86400)).toBeCloseTo(9);
    // Minutes after the first scan the pace is that of the scan.
    expect(daysToFull(100e9, 99e9, 3600)).toBeNull();
    expect(daysToFull(100e9, 90e9, 22 * 3600)).toBeNull();
  });
});
