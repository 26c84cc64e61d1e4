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

  it("believes the server's own verdict where there is no answer", async () => {
    const verdicts = new Verdicts(() => Promise.reject(new Error("away")));
    verdicts.of({ id: "old", playability: "needs_preparing" });
    await settled();
    expect(verdicts.of({ id: "old", playability: "needs_preparing" })).toBe("needs_preparing");
  });
});
