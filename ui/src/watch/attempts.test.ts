import { describe, expect, it } from "vitest";
import { type Failure, parseProblem } from "../api/errors";
import type { Play } from "../api/types";
import { Attempts, type Trouble } from "./attempts";
import { behindHole } from "./playback.svelte";
import { refusalOf, refused } from "./source";

const answer = (status: number, code: string) => parseProblem(status, { code, detail: "Because." }, null);
const trouble = (failure: Failure): Trouble => refused(failure);
const DECODER: Trouble = { kind: "decoder" };
const way = (method: Play["method"], quality = "original") => ({ method, quality });
const NO_OTHER = answer(409, "needs_preparing");

/** What happens when every stream fails at once, as a house with these ways would answer; at most so many plays. */
function sit(ways: Play["method"][], what: Trouble, most = 40) {
  const attempts = new Attempts();
  const seen: string[] = [];
  for (let n = 0; n < most; n += 1) {
    const method = ways.find((one) => !(attempts.failed as string[]).includes(one));
    const next = method === undefined ? (attempts.noOtherWay(NO_OTHER) ?? { kind: "refuse", title: "nothing" }) : attempts.after(way(method), what, n);
    if (method !== undefined) seen.push(method);
    if (next.kind === "refuse") return { seen, title: next.title };
    if (next.kind === "jump") seen.push(`+${next.by_s}`);
  }
  return { seen, title: "for ever" };
}

describe("a stream that fails", () => {
  it("is given up with the house's sentence when its file is broken, and the same way is asked for twice at most", () => {
    const broken = trouble(answer(409, "file_broken"));
    expect(sit(["remux"], broken)).toEqual({ seen: ["remux", "remux"], title: "This film cannot be played" });
    const attempts = new Attempts();
    expect(attempts.after(way("remux"), broken, 0)).toMatchObject({ kind: "again" });
    // The house knows another way meanwhile: that one has its own turn.
    expect(attempts.after(way("transcode", "480p"), broken, 1)).toMatchObject({ kind: "again" });
    expect(attempts.after(way("transcode", "480p"), broken, 2)).toMatchObject({ kind: "refuse", text: "Because." });
  });
  it("goes on for as long as the house only asks to wait", () => {
    for (const passing of [answer(503, "loge_starting"), answer(502, "loge_broke"), { kind: "unreachable" } as const]) {
      expect(sit(["remux"], trouble(passing), 30).title).toBe("for ever");
    }
  });
  it("may be healed by a new one, once", () => {
    const attempts = new Attempts();
    const expired = trouble(answer(404, "not_found"));
    expect(attempts.after(way("direct"), expired, 0).kind).toBe("again");
    attempts.moved();
    expect(attempts.after(way("direct"), expired, 0).kind).toBe("again");
    expect(attempts.after(way("direct"), expired, 1).kind).toBe("refuse");
  });
  it("is not begun again where it was stopped from outside", () => {
    expect(sit(["direct"], trouble(answer(403, "stopped_by_owner")))).toMatchObject({ seen: ["direct"] });
  });
  it("that this browser makes no picture of falls to the next way, then passes over the place, then ends", () => {
    expect(sit(["direct", "remux", "transcode"], DECODER)).toEqual({
      seen: ["direct", "direct", "remux", "remux", "transcode", "transcode", "+4", "transcode", "+8", "transcode", "+16", "transcode"],
      title: "This browser cannot go on here",
    });
    // Where nothing else is offered, the first way is taken behind the place.
    expect(sit(["direct", "remux"], DECODER).seen).toEqual(["direct", "direct", "remux", "remux", "+4", "direct", "+8", "direct", "+16", "direct"]);
  });
  it("forgets the place when the film moves, and not which ways failed", () => {
    const attempts = new Attempts();
    attempts.after(way("direct"), DECODER, 0);
    attempts.moved();
    expect(attempts.after(way("direct"), DECODER, 0).kind).toBe("again");
    expect(attempts.failed).toEqual([]);
    attempts.after(way("direct"), DECODER, 0);
    attempts.moved();
    expect(attempts.failed).toEqual(["direct"]);
    attempts.forget();
    expect(attempts.failed).toEqual([]);
  });
  it("is not passed over for a refusal that has nothing to do with it", () => {
    const attempts = new Attempts();
    attempts.after(way("direct"), DECODER, 0);
    attempts.after(way("direct"), DECODER, 0);
    expect(attempts.noOtherWay(answer(409, "file_missing"))).toBeNull();
    expect(attempts.noOtherWay(NO_OTHER)).toMatchObject({ kind: "jump", by_s: 4 });
  });
});

describe("the answer to a segment", () => {
  const data = (code: number, body: unknown) => ({
    response: { url: "", data: undefined, code, text: "" },
    networkDetails: { response: body, getResponseHeader: () => null } as unknown as XMLHttpRequest,
  });
  it("is read from the bytes that came instead of it", () => {
    const body = new TextEncoder().encode(JSON.stringify({ code: "file_broken", detail: "Because." })).buffer;
    expect(refusalOf(data(409, body))).toMatchObject({ kind: "refused", status: 409, code: "file_broken", detail: "Because." });
    expect(refusalOf(data(503, '{"code":"loge_starting"}'))).toMatchObject({ code: "loge_starting" });
  });
  it("that is none is no answer of the house", () => {
    expect(refusalOf(data(0, null))).toEqual({ kind: "unreachable" });
    expect(refusalOf({ networkDetails: null })).toEqual({ kind: "unreachable" });
    expect(refusalOf(data(502, "<html>"))).toEqual({ kind: "garbled", status: 502 });
  });
});

describe("a hole in what lies ready", () => {
  const ranges = (...all: [number, number][]) => ({ length: all.length, start: (n: number) => all[n]?.[0] ?? 0, end: (n: number) => all[n]?.[1] ?? 0 });
  it("is left behind where something lies ready after it", () => {
    expect(behindHole(ranges([10, 20]), 7.2)).toBe(10.05);
    expect(behindHole(ranges([0, 7], [10, 20]), 7.2)).toBe(10.05);
  });
  it("is none where the place itself lies ready, or nothing behind it does", () => {
    expect(behindHole(ranges([0, 8], [10, 20]), 7.2)).toBeNull();
    expect(behindHole(ranges([7.3, 20]), 7.2)).toBeNull();
    expect(behindHole(ranges([0, 5]), 7.2)).toBeNull();
    expect(behindHole(ranges(), 7.2)).toBeNull();
  });
});
