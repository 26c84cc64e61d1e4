import { describe, expect, it } from "vitest";
import { Track } from "./track";

describe("a track", () => {
  it("keeps the newest moments and no more", () => {
    const track = new Track(1, 3);
    for (let i = 1; i <= 8; i++) track.push(i, [i * 10]);
    expect(track.columns()).toEqual([
      [6, 7, 8],
      [60, 70, 80],
    ]);
    expect(track.size).toBe(3);
  });

  it("drops what does not go forward in time", () => {
    const track = new Track(1, 3);
    expect(track.push(5, [1])).toBe(true);
    expect(track.push(5, [2])).toBe(false);
    expect(track.push(4, [2])).toBe(false);
    expect(track.push(Number.NaN, [2])).toBe(false);
    for (let i = 6; i < 12; i++) track.push(i, [i]);
    expect(track.push(11, [0])).toBe(false);
  });

  it("turns missing and broken values into gaps", () => {
    const track = new Track(2, 3);
    track.push(1, [Number.POSITIVE_INFINITY]);
    expect(track.columns()).toEqual([[1], [null], [null]]);
  });

  it("does not draw over a silence", () => {
    const track = new Track(1, 9);
    track.push(0, [1]);
    track.push(2, [1]);
    track.push(60, [1]);
    expect(track.columns(10)).toEqual([
      [0, 2, 7, 60],
      [1, 1, null, 1],
    ]);
  });

  it("starts over", () => {
    const track = new Track(1, 2);
    track.push(9, [1]);
    track.clear();
    expect(track.push(1, [1])).toBe(true);
  });
});
