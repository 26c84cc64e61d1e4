import { describe, expect, it } from "vitest";
import type { Job } from "../../api/types";
import { jobLine, sortJobs } from "./job";

const job = (over: Partial<Job>): Job => ({
  id: "j",
  kind: "scan",
  name: "Scanning Films",
  state: "running",
  progress: 0,
  done: 0,
  total: 0,
  created_at: "2026-01-01",
  ...over,
});
const plain = (text: string) => text.replaceAll(" ", " ");

describe("jobs", () => {
  it("says amount, pace and what is left", () => {
    expect(plain(jobLine(job({ done: 214, total: 510, rate: 18.4, eta_s: 16 })))).toBe("214 of 510 files · 18 files/s · about 15 s");
    expect(jobLine(job({}))).toBe("counting");
    expect(jobLine(job({ state: "paused", done: 3, total: 9 }))).toBe("paused · 3 of 9 files");
    expect(jobLine(job({ state: "failed", error: "The disk is not there." }))).toBe("The disk is not there.");
    expect(jobLine(job({ state: "queued" }))).toBe("waits its turn");
  });
  it("shows first what moves, then what needs somebody", () => {
    const states = ["done", "queued", "failed", "running", "paused"] as const;
    expect(sortJobs(states.map((state) => job({ state }))).map((j) => j.state)).toEqual(["running", "paused", "failed", "queued", "done"]);
  });
});
