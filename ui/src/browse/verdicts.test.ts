import { describe, expect, it } from "vitest";
import { Verdicts } from "./verdicts.svelte";

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("what this browser gets", () => {
  it("asks once about all films that an ordinary browser does not play", async () => {
    const asked: string[][] = [];
    const verdicts = new Verdicts(async (ids) => {
      asked.push(ids);
      return ids.map((title_id) => ({ title_id, method: title_id === "hevc" ? "remux" : null }));
    });
    expect(verdicts.of({ id: "plain", playability: "direct" })).toBe("direct");
    expect(verdicts.of({ id: "broken", playability: "broken" })).toBe("broken");
    expect(verdicts.of({ id: "hevc", playability: "needs_preparing" })).toBeNull();
    expect(verdicts.of({ id: "old", playability: "needs_preparing" })).toBeNull();
    await settled();
    expect(asked).toEqual([["hevc", "old"]]);
    expect(verdicts.of({ id: "hevc", playability: "needs_preparing" })).toBe("remux");
    expect(verdicts.of({ id: "old", playability: "needs_preparing" })).toBe("needs_preparing");
    verdicts.forget();
    expect(verdicts.of({ id: "old", playability: "needs_preparing" })).toBeNull();
  });

  it("keeps nothing of a question that failed, and asks again when the film is shown again", async () => {
    const answers = [() => Promise.reject(new Error("away")), async () => [{ title_id: "hevc", method: "remux" as const }]];
    const asked: string[][] = [];
    const verdicts = new Verdicts((ids) => {
      asked.push(ids);
      return (answers.shift() ?? (async () => []))();
    });
    expect(verdicts.of({ id: "hevc", playability: "needs_preparing" })).toBeNull();
    await settled();
    expect(asked, "a failed question is not repeated by itself").toEqual([["hevc"]]);
    expect(verdicts.of({ id: "hevc", playability: "needs_preparing" })).toBeNull();
    await settled();
    expect(asked).toEqual([["hevc"], ["hevc"]]);
    expect(verdicts.of({ id: "hevc", playability: "needs_preparing" })).toBe("remux");
  });

  it("does not ask again while a question is on its way", async () => {
    const asked: string[][] = [];
    let answer: (found: { title_id: string; method: "remux" }[]) => void = () => {};
    const verdicts = new Verdicts((ids) => {
      asked.push(ids);
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    verdicts.of({ id: "hevc", playability: "needs_preparing" });
    await settled();
    verdicts.of({ id: "hevc", playability: "needs_preparing" });
    await settled();
    expect(asked).toEqual([["hevc"]]);
    answer([{ title_id: "hevc", method: "remux" }]);
    await settled();
    expect(verdicts.of({ id: "hevc", playability: "needs_preparing" })).toBe("remux");
    expect(asked).toEqual([["hevc"]]);
  });
});
