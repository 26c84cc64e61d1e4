// What a job says about itself, in words.
import type { Job } from "../../api/types";
import { count, eta, rate } from "../words";

const THINGS: Record<string, string> = { scan: "files", posters: "posters" };
const WORDS: Record<string, string> = { queued: "waits its turn", paused: "paused", done: "done", failed: "failed", cancelled: "cancelled" };

export const isOpen = (job: Job): boolean => job.state === "running" || job.state === "queued" || job.state === "paused";

/** "214 of 510 files · 18 files/s · about 15 s" */
export function jobLine(job: Job): string {
  if (job.state === "failed") return job.error ?? "failed";
  const thing = THINGS[job.kind] ?? "steps";
  const amount = job.total > 0 ? `${count(job.done)} of ${count(job.total)} ${thing}` : job.done > 0 ? `${count(job.done)} ${thing} so far` : "";
  if (job.state !== "running") return [WORDS[job.state] ?? job.state, amount].filter(Boolean).join(" · ");
  return [amount || "counting", rate(job.rate, thing), eta(job.eta_s)].filter(Boolean).join(" · ");
}

const ORDER = ["running", "paused", "failed", "queued"];
/** What moves first, then what waits for somebody, then what waits for its turn; finished work last, newest first. */
export function sortJobs(jobs: readonly Job[]): Job[] {
  const rank = (j: Job) => (ORDER.includes(j.state) ? ORDER.indexOf(j.state) : ORDER.length);
  return [...jobs].sort((a, b) => rank(a) - rank(b) || b.created_at.localeCompare(a.created_at));
}
