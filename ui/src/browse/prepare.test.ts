import { describe, expect, it } from "vitest";
import type { RenditionBrief, RenditionState } from "../api/types";
import { duration } from "../kit/words";
import { canAsk, next, ready, say, underway } from "./prepare";

const version = (quality: string, state: RenditionState, more: Partial<RenditionBrief> = {}): RenditionBrief => ({
  quality,
  state,
  progress: 0,
  eta_s: null,
  reason: null,
  ...more,
});

describe("versions made ahead of time", () => {
  it("tells what is on its way from what is there", () => {
    const all = [version("480p", "done"), version("720p", "running", { progress: 0.4 }), version("360p", "failed")];
    expect(underway(all)?.quality).toBe("720p");
    expect(underway([version("480p", "done"), version("720p", "failed")])).toBeNull();
    expect(ready([version("480p", "done"), version("720p", "done"), version("360p", "queued")])).toEqual(["720p", "480p"]);
  });

  it("says how far it is and why it does not go on", () => {
    expect(say(version("720p", "queued"))).toBe("It is waiting for its turn.");
    expect(say(version("720p", "queued", { reason: "It waits for the night shift." }))).toBe("It waits for the night shift.");
    expect(say(version("720p", "paused", { reason: "Somebody is watching.", progress: 0.5 }))).toBe("Somebody is watching. 50\u00a0% done.");
    expect(say(version("720p", "running", { eta_s: 1500, progress: 0.5 }))).toContain(duration(1500));
    expect(say(version("720p", "failed", { reason: "The film cannot be read to its end." }))).toContain("cannot be read");
  });

  it("offers what makes sense", () => {
    const hevc = { playability: "needs_preparing", height: 1080 } as const;
    const plain = { playability: "direct", height: 1080 } as const;
    expect(canAsk(hevc, false, [])).toBe(true);
    expect(canAsk(hevc, false, [version("720p", "queued")])).toBe(false);
    expect(canAsk(hevc, false, [version("720p", "failed")])).toBe(true);
    expect(canAsk(plain, false, [])).toBe(false);
    expect(canAsk(plain, true, [])).toBe(true);
    expect(canAsk({ playability: "direct", height: 480 }, true, [])).toBe(false);
    expect(canAsk(plain, true, [version("720p", "done"), version("480p", "done")])).toBe(false);
    expect(next(hevc, [])).toBeUndefined();
    expect(next(plain, [version("720p", "done")])).toBe("480p");
  });
});
