import { describe, expect, it } from "vitest";
import { suggestPassword } from "./password";

describe("passwords", () => {
  it("suggests what can be read aloud and is never the same", () => {
    const many = new Set(Array.from({ length: 200 }, () => suggestPassword()));
    expect(many.size).toBe(200);
    for (const one of many) expect(one).toMatch(/^[a-z]+(-[a-z]+){3}-\d\d$/);
  });
  it("uses the chance it is given", () => {
    expect(suggestPassword(() => 0)).toBe("amber-amber-amber-amber-10");
  });
});
