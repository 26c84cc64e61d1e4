import { describe, expect, it } from "vitest";
import type { Vitals } from "../../api/types";
import { sentenceOf } from "./sentence";

const at = "2026-11-23T20:00:00Z";
const vitals = { at, sentence: { level: "good", text: "All is well." } } as Vitals;
const later = (s: number) => Date.parse(at) + s * 1000;

describe("the sentence", () => {
  it("waits in words", () => {
    expect(sentenceOf(null, true, 0).level).toBe("waiting");
  });
  it("repeats what the house says", () => {
    expect(sentenceOf(vitals, true, later(1))).toEqual({ level: "good", text: "All is well." });
  });
  it("keeps numbers with their units and passes the cause on", () => {
    const said = sentenceOf({ at, sentence: { level: "good", text: "3 of 6 seats, CPU 41 %, 54 °C, 2 min.", href: "/admin" } } as Vitals, true, later(0));
    expect(said.text).toBe("3 of 6 seats, CPU 41\u00a0%, 54\u00a0°C, 2\u00a0min.");
    expect(said.href).toBe("/admin");
  });
  it("does not call a short blink a loss", () => {
    expect(sentenceOf(vitals, false, later(4)).level).toBe("good");
  });
  it("never shows an old all-is-well as if it were new", () => {
    const said = sentenceOf(vitals, false, later(31));
    expect(said.level).toBe("attention");
    expect(said.text).toContain("31 s");
  });
});
