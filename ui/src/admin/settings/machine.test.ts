import { describe, expect, it } from "vitest";
import { chipSays, times } from "./machine";

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

describe("the graphics chip", () => {
  const chip = { found: true, reason: null, driver: null, at_once: 0 };
  it.each([
    [{ ...chip, state: "off" as const }, false, /^Off\. This machine has a chip/],
    [{ ...chip, state: "off" as const, found: false }, false, /^Off\. No chip was found/],
    [{ ...chip, state: "absent" as const, found: false }, false, /^On, but no chip/],
    [{ ...chip, state: "untested" as const }, false, /not tested yet/],
    [{ ...chip, state: "untested" as const }, true, /being tested now/],
    [{ ...chip, state: "failed" as const, reason: "Its driver is not there." }, false, /^On, but not used\. Its driver is not there\. Films/],
    [{ ...chip, state: "works" as const, driver: "i965", at_once: 2 }, false, /driver i965\) and encodes 2 films at once/],
    [{ ...chip, state: "works" as const, driver: "i965", at_once: 1 }, false, /encodes one film at once/],
  ])("%o, measuring: %s", (found, measuring, words) => {
    expect(chipSays(found, measuring)).toMatch(words);
  });
});
