// Whether something grows. Pure.
//
// A long run is judged by the slope itself, where growth is certain: the lower end of its interval
// lies above nothing, and the slope above the limit. Three minutes are too short for that: what an
// allocator keeps once is, by the hour, a hundred times the limit. There a thing is broken only
// where the lower end itself lies above the limit, after what one step can pretend (`step`) is taken
// off. What is neither within its limit for certain nor broken is "not decided", which a longer run
// can decide.
import { slope } from "./slope.mjs";

/** From so many minutes on the slope itself is judged. */
export const SHARP_MINUTES = 20;
const MB = 1e6;

/**
 * Each loge keeps some connections to the server ready, one more after it had more requests at once than
 * before. In a short run the last of them come while it is looked at: two for each of eight.
 */
const READY = { short: 16, long: 4 };

/**
 * What is sampled while the house is at rest. `limit`: how much it may grow in an hour; without one it is
 * told only. `step`: so much more, once, is no growth; in runs of any length, or in short ones.
 */
export const SERIES = {
  serverRss: { name: "RSS of the server", unit: "MB", scale: MB, limit: 1, step: { short: 4, long: 0 } },
  serverAnonymous: { name: "of that, its own and not files", unit: "MB", scale: MB },
  serverDescriptors: { name: "descriptors of the server", unit: "", scale: 1, limit: 0, step: READY },
  serverThreads: { name: "threads of the server", unit: "", scale: 1 },
  serverTasks: { name: "tasks of the server", unit: "", scale: 1 },
  workersRss: { name: "RSS of workers", unit: "MB", scale: MB },
  framesRss: { name: "RSS of picture takers", unit: "MB", scale: MB },
  mediaRss: { name: "RSS of media programs", unit: "MB", scale: MB },
  loges: { name: "programs in loges", unit: "", scale: 1 },
  logeDescriptors: { name: "descriptors of loges", unit: "", scale: 1, limit: 0, step: READY },
  temporaryFiles: { name: "temporary files", unit: "", scale: 1 },
  databaseBytes: { name: "database", unit: "MB", scale: MB },
  logBytes: { name: "logs", unit: "MB", scale: MB },
};

/**
 * `samples`: `[{ at: seconds, …series }]`, warm-up excluded. Answers a row for each series:
 * `{ key, name, unit, first, last, perHour, low, high, limit, verdict }`, with the verdict "kept", "broken",
 * "not decided" or "told".
 */
export function judgeGrowth(samples, { minutes, confidence = 0.99 }) {
  const sharp = minutes >= SHARP_MINUTES;
  const passed = samples.length > 1 ? samples.at(-1).at - samples[0].at : 0;
  return Object.entries(SERIES).map(([key, { name, unit, scale, limit, step }]) => {
    const points = samples.filter((sample) => Number.isFinite(sample[key])).map((sample) => ({ at: sample.at, value: sample[key] / scale }));
    const row = { key, name, unit, first: points[0]?.value ?? null, last: points.at(-1)?.value ?? null, limit: limit ?? null, ...slope(points, confidence) };
    if (limit === undefined) return { ...row, verdict: "told" };
    const pretended = ((sharp ? step.long : step.short) / Math.max(passed, 1)) * 3600;
    return { ...row, verdict: verdictOn(row, { limit, sharp, pretended }) };
  });
}

function verdictOn({ perHour, low, high, points }, { limit, sharp, pretended }) {
  if (points === 0) return "broken"; // a thing that was not measured keeps no promise
  if (low - pretended > limit || (sharp && low - pretended > 0 && perHour > limit)) return "broken";
  return high <= limit ? "kept" : "not decided";
}

/** One line of the table. */
export function growthLine({ name, unit, first, last, perHour, low, high, limit, verdict, points }) {
  const number = (value) => (Number.isFinite(value) ? value.toFixed(Math.abs(value) >= 100 ? 0 : 2) : value > 0 ? "∞" : "-∞");
  if (points === 0) return `${verdict.padEnd(11)}  ${name}: not measured`;
  const allowed = limit === null ? "" : `; at most ${limit}`;
  return `${verdict.padEnd(11)}  ${name}: ${number(first)} → ${number(last)}${unit ? ` ${unit}` : ""}, ${number(perHour)} an hour (${number(low)} to ${number(high)}${allowed})`;
}
