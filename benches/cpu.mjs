// CPU seconds of processes, from /proc, and what samples are made into. The kernel counts in ticks of 10 ms, so samples are large.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { Refusal } from "../scripts/lib/say.mjs";

const ticks = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const seconds = (...places) => places.reduce((sum, place) => sum + Number(fields[place]), 0) / ticks;
    return { parent: Number(fields[1]), cpu: seconds(11, 12), withChildren: seconds(11, 12, 13, 14) };
  } catch {
    return null; // it ended
  }
}

/** A process and everything below it. */
export function tree(pid) {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map(all.map((p) => [p, stat(p)?.parent]));
  const found = [pid];
  for (let i = 0; i < found.length; i++) found.push(...all.filter((p) => parents.get(p) === found[i]));
  return found;
}

/** Who started a process; 0 when it is gone. */
export const parentOf = (pid) => stat(pid)?.parent ?? 0;

/** Processes whose program has this name. */
export const named = (name) =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, "latin1").trim() === name;
    } catch {
      return false;
    }
  }).map(Number);

export const cpuSeconds = (pids) => pids.reduce((sum, pid) => sum + (stat(pid)?.cpu ?? 0), 0);

/** The same together with every child that has ended and was waited for. */
export const cpuSecondsOfAll = (pids) => pids.reduce((sum, pid) => sum + (stat(pid)?.withChildren ?? 0), 0);

/** Bytes that were asked of files, whether the disk had to be asked or not; ended children included. */
export const bytesRead = (pids) =>
  pids.reduce((sum, pid) => {
    try {
      return sum + Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"))?.[1] ?? 0);
    } catch {
      return sum; // it ended
    }
  }, 0);

/**
 * The one `loge-frames` that was not among `others` before, not its children at work. Another house
 * on this machine may have one too.
 */
export function framesOfHouse(others) {
  const all = named("loge-frames");
  const found = all.filter((pid) => !others.includes(pid) && !all.includes(parentOf(pid)) && isOurs(pid));
  if (found.length !== 1) throw new Refusal(`${found.length} loge-frames run, not one`);
  return found[0];
}

function isOurs(pid) {
  try {
    return readFileSync(`/proc/${pid}/exe`).equals(readFileSync(process.env.LOGE_FRAMES));
  } catch {
    return false; // it ended
  }
}

/** Runs a program to its end: seconds of processor, bytes read, seconds. Our own ended children hold what it used. */
export function measured(program, args) {
  const spent = () => ({ cpu: cpuSecondsOfAll([process.pid]) - process.cpuUsage().user / 1e6 - process.cpuUsage().system / 1e6, read: bytesRead([process.pid]) });
  const before = spent();
  const since = Date.now();
  const { status } = spawnSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Refusal(`${program} ended with ${status}`);
  const after = spent();
  return { cpu_s: after.cpu - before.cpu, read: after.read - before.read, wall_s: (Date.now() - since) / 1000 };
}

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
