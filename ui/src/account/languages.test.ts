import { describe, expect, it } from "vitest";
import { languages, nameOf } from "./languages";

describe("languages", () => {
  it("are named in their own words", () => {
    expect(nameOf("de")).toBe("Deutsch");
    expect(nameOf("pt-BR")).toMatch(/^Português/);
    expect(nameOf("qq")).toBe("qq");
    expect(nameOf("not a tag")).toBe("not a tag");
  });

  it("all have a name, and the one that was kept is among them", () => {
    expect(languages(null).filter((one) => one.text === one.value)).toEqual([]);
    expect(languages("pt-BR").map((one) => one.value)).toContain("pt-BR");
    expect(languages("de")).toHaveLength(languages(null).length);
  });
});
