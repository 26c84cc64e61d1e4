import { describe, expect, it } from "vitest";
import { ago, bytes, clock, duration, plural, resolution } from "./words";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

describe("numbers as people read them", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_500_000, "2 MB"],
    [820_000_000, "820 MB"],
    [999_600_000, "1.0 GB"],
    [1_400_000_000, "1.4 GB"],
    [42_000_000_000, "42 GB"],
    [-5, "0 B"],
  ])("%d bytes are %s", (value, text) => expect(plain(bytes(value))).toBe(text));

  it.each([
    [0, ""],
    [Number.NaN, ""],
    [38, "38 s"],
    [240, "4 min"],
    [3600, "1 h"],
    [6120, "1 h 42 min"],
    [7199, "2 h"],
  ])("%d seconds last %s", (value, text) => expect(plain(duration(value))).toBe(text));

  it.each([
    [0, "0:00"],
    [65.9, "1:05"],
    [3729, "1:02:09"],
    [Number.POSITIVE_INFINITY, "0:00"],
  ])("%d seconds stand at %s", (value, text) => expect(clock(value)).toBe(text));

  it.each([
    [1920, 800, "1080p"],
    [3840, 1600, "4K"],
    [1280, 720, "720p"],
    [854, 480, "480p"],
    [320, 240, "240p"],
    [0, 0, ""],
  ])("%d × %d is %s", (w, h, text) => expect(resolution(w, h)).toBe(text));

  it("says how long ago", () => {
    const now = Date.parse("2026-06-01T12:00:00Z");
    expect(ago("2026-06-01T11:59:40Z", now)).toBe("just now");
    expect(ago("2026-06-01T11:57:00Z", now)).toBe("3 minutes ago");
    expect(ago("2026-05-31T12:00:00Z", now)).toBe("yesterday");
    expect(ago("2026-04-01T12:00:00Z", now)).toBe("2 months ago");
    expect(ago("nonsense", now)).toBe("");
  });
  it("counts", () => {
    expect(plural(1, "title")).toBe("1 title");
    expect(plural(10_000, "title")).toBe("10,000 titles");
  });
});
