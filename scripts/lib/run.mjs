// Starting programs: with their output shown, or captured, and never through a shell.
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { Refusal } from "./say.mjs";

/** Programs that `run` started and that still run: a stopped script takes them along. */
const running = new Set();

/**
 * Runs a program with its output shown. Throws a Refusal when it fails, or when it takes longer
 * than `limitS` seconds: then it is ended together with everything it started. `showLine` is asked
 * of every line of its standard output whether to show it.
 */
export function run(program, args, options = {}) {
  const { expect, limitS, showLine, ...rest } = options;
  return new Promise((resolve, reject) => {
    // With a limit it gets a process group of its own, so that a signal reaches its children too.
    const child = spawn(program, args, { stdio: ["ignore", showLine ? "pipe" : "inherit", "inherit"], detached: Boolean(limitS), ...rest });
    child.group = limitS ? -child.pid : null;
    let late = false;
    const timer = limitS
      ? setTimeout(() => {
          late = true;
          send(child, "SIGKILL");
        }, limitS * 1000)
      : null;
    running.add(child);
    if (showLine) {
      createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
        if (showLine(line)) process.stdout.write(`${line}\n`);
      });
    }
    child.once("error", (error) => {
      running.delete(child);
      reject(new Refusal(`${program} could not be started: ${error.message}`));
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      if (late) reject(new Refusal(`${program} ${args.slice(0, 3).join(" ")} was ended: not done after ${limitS} s`));
      else if (code === 0) resolve();
      else reject(new Refusal(expect ?? `${program} ${args.slice(0, 3).join(" ")} failed (${signal ?? `exit code ${code}`})`));
    });
  });
}

/** Sends a signal to everything `run` started. */
export function signalRunning(signal) {
  for (const child of running) send(child, signal);
}

function send(child, signal) {
  try {
    if (child.group) process.kill(child.group, signal);
    else child.kill(signal);
  } catch {
    // Gone in the meantime.
  }
}

/** Runs a program and returns `{ ok, code, stdout, stderr }`; never throws. */
export function capture(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: 256 << 20, ...options });
  return {
    ok: done.status === 0,
    code: done.status,
    stdout: done.stdout ?? "",
    stderr: done.error ? String(done.error.message) : (done.stderr ?? ""),
  };
}

/** Like `capture`, for programs that must succeed; returns standard output. */
export function mustCapture(program, args, options = {}) {
  const done = capture(program, args, options);
  if (!done.ok) throw new Refusal(`${program} ${args.slice(0, 4).join(" ")} failed: ${String(done.stderr).trim().slice(-2000)}`);
  return done.stdout;
}

/** The full path of a program, or null. Looks into the sbin folders too, which a plain user's PATH may lack. */
export function which(program) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  for (const folder of folders) {
    if (!folder) continue;
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** Does this process run? A zombie, which has no command line any more, does not. */
export function alive(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
}

/** Waits until `condition` answers something truthy and returns that, or null when the time is up. */
export async function until(condition, { timeoutMs, everyMs = 50 }) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() >= end) return null;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
