// The promises, and whether they were kept. Pure.

/** The machine that the promises were made for. */
export const REFERENCE_CORES = 4;

export function percentile(values, share) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

export const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);

/**
 * `{ promise, limit, measured, verdict: "kept" | "broken" | "not judged", why? }` for each. What
 * depends on how fast the machine is counts as broken only where the machine is as large as the
 * one promised for, the build is the one that people run, and nobody else was busy on it.
 */
export function judge(found) {
  const excuses = [];
  if (found.cores < REFERENCE_CORES) excuses.push(`${found.cores} cores, the promise is for ${REFERENCE_CORES}`);
  if (found.build !== "release") excuses.push(`a ${found.build} build`);
  const foreign = mean(found.foreignCores);
  if (foreign !== null && foreign > found.cores * 0.25) excuses.push(`others used ${foreign.toFixed(1)} of ${found.cores} cores meanwhile`);
  const row = (promise, limit, measured, kept, dependsOnSpeed) => {
    if (measured === null) return { promise, limit, measured: "nothing", verdict: "broken", why: "it was not measured" };
    if (kept) return { promise, limit, measured, verdict: "kept" };
    if (dependsOnSpeed && excuses.length > 0) return { promise, limit, measured, verdict: "not judged", why: excuses.join("; ") };
    return { promise, limit, measured, verdict: "broken" };
  };
  const seconds = (value) => (value === null ? null : `${value.toFixed(2)} s`);
  const warm = percentile(found.warmStarts, 0.95);
  const cold = percentile(found.coldStarts, 0.95);
  const cpu = mean(found.cpuShare);
  const memory = found.memoryBytes.length ? Math.max(...found.memoryBytes) : null;
  const part = found.totalRate / found.shares.length;
  const off = found.shares.length ? Math.max(...found.shares.map((share) => Math.abs(share - part) / part)) : null;
  const sum = found.shares.length ? found.shares.reduce((a, b) => a + b, 0) / found.totalRate : null;
  const share = (value) => (value === null ? null : `${(value * 100).toFixed(1)} %`);
  return [
    row("First picture, warm, 95 of 100", "below 0.8 s", seconds(warm), warm < 0.8, true),
    row("First picture, cold container, 95 of 100", "below 2 s", seconds(cold), cold < 2, true),
    row("Stalls", "none", `${found.stalls.length}${found.stalls.length ? `, the longest ${Math.max(...found.stalls).toFixed(2)} s` : ""}`, found.stalls.length === 0, true),
    row("CPU of the server and all containers", "below 80 % of the machine", share(cpu), cpu < 0.8, true),
    row("Memory of the server and all containers", "below 6 GB", memory === null ? null : `${(memory / 1e9).toFixed(2)} GB`, memory < 6e9, false),
    row("A container for everybody", `${found.viewers}`, `${found.containers}`, found.containers === found.viewers, false),
    row("Failed requests", "none", `${found.failures.length}`, found.failures.length === 0, false),
    ...beside(found.greedy, row),
    row("Bandwidth of each person", "within 10 % of an equal part", off === null ? null : `${share(off)} off at most`, off <= 0.1, false),
    row("Bandwidth of all together", "within 10 % of what was set", share(sum), Math.abs(sum - 1) <= 0.1, false),
  ];
}

/** The neighbour of eight greedy containers; nothing where there are no containers. */
function beside(greedy, row) {
  if (!greedy) return [];
  const [alone, together] = [percentile(greedy.idle, 0.95), percentile(greedy.beside, 0.95)];
  const ms = (value) => `${(value * 1000).toFixed(1)} ms`;
  const measured = alone === null || together === null ? null : `${ms(together)} beside them, ${ms(alone)} alone`;
  return [
    row("A range beside eight greedy containers, 95 of 100", "at most twice as long as alone", measured, together <= 2 * alone, true),
    row("Stalls beside eight greedy containers", "none", `${greedy.stalls.length}`, greedy.stalls.length === 0, true),
    row("Greedy containers are ended by their own walls", "at least once", `${greedy.ends} times`, greedy.ends > 0, false),
  ];
}
