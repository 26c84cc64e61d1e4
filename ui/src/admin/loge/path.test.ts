import { describe, expect, it } from "vitest";
import { path } from "./path";

describe("a line of shares", () => {
  it("begins left, ends right, and never leaves its box", () => {
    expect(path([0, 1])).toBe("M0.00 29.00L100.00 1.00");
    expect(path([-1, 0.5, 7, Number.NaN])).toBe("M0.00 29.00L33.33 15.00L66.67 1.00L100.00 29.00");
  });
  it("is nothing without two points", () => {
    expect(path([])).toBe("");
    expect(path([1])).toBe("");
  });
});
