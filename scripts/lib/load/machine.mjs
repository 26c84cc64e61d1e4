// What the server and everything it started take from the machine, read from the kernel and not
// from the server.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

const ticks = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

const read = (path) => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null; // it ended
  }
};

function stat(pid) {
  const text = read(`/proc/${pid}/stat`);
  if (!text) return null;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // With the time of children that ended and were waited for.
  return { parent: Number(fields[1]), seconds: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / ticks };
}

/** The share of memory that is its own, where this user may know. */
function memory(pid) {
  const pss = read(`/proc/${pid}/smaps_rollup`)?.match(/^Pss:\s+(\d+)/m);
  const rss = pss ?? read(`/proc/${pid}/status`)?.match(/^VmRSS:\s+(\d+)/m);
  return rss ? Number(rss[1]) * 1024 : 0;
}

/** CPU seconds and memory of some processes and everything below them. */
export function takenBy(roots) {
  const all = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => [Number(pid), stat(pid)])
      .filter(([, about]) => about),
  );
  const found = new Set(roots.filter((pid) => all.has(pid)));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [pid, { parent }] of all) if (found.has(parent)) found.add(pid);
  }
  const pids = [...found];
  return { seconds: pids.reduce((sum, pid) => sum + all.get(pid).seconds, 0), bytes: pids.reduce((sum, pid) => sum + memory(pid), 0), processes: pids.length };
}

/** Busy seconds of all cores together. */
export function machineBusy() {
  const [user, nice, system, , , irq, softirq, steal] = read("/proc/stat").split("\n")[0].trim().split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / ticks;
}
