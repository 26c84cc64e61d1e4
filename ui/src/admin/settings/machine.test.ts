import { describe, expect, it } from "vitest";
import { times } from "./machine";

describe("speeds", () => {
  it.each([
    [0.5, "0.5 × real time, too slow"],
    [1, "1.0 × real time"],
    [4.24, "4.2 × real time"],
    [17.6, "18 × real time"],
  ])("%s is %s", (x, words) => {
    expect(times(x)).toBe(words);
  });
});
