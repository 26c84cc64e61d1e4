// `npm start`: from a fresh clone to a running Loge. Each step is skipped when there is
// nothing to do, so a second start is a matter of seconds.
//
//   npm start -- [--headless] [--data-dir DIR] [--listen ADDR:PORT] [--runtime auto|docker|process]
//   npm run start:dev        the same with quick builds, and the UI rebuilt on every change
import "./lib/dotenv.mjs";
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { findEngine } from "./engine.mjs";
import { buildDesktop, buildSandboxed, buildServer } from "./lib/cargo.mjs";
import { foreground } from "./lib/child.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { root, targetDir } from "./lib/paths.mjs";
import { main, say, took } from "./lib/say.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";
import { ensureWorkerImage } from "./worker-image.mjs";

/** Seconds of processor time that a first build takes (docs/benchmarks.md). */
const FIRST_BUILD_S = 915;

const options = {
  headless: { type: "boolean", default: false },
  dev: { type: "boolean", default: false },
  "data-dir": { type: "string" },
  listen: { type: "string" },
  runtime: { type: "string" },
};

await main(async () => {
  const { values } = parseArgs({ options });
  const window = !values.headless && Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
  const release = !values.dev;
  const began = Date.now();

  ensureToolchain();
  await ensurePackages(["build", "media", ...(window ? ["desktop"] : [])]);
  sayHowLong(release, window ? "loge" : "loge-server");
  // The pages are made while the first programs are compiled: each leaves a core idle for most of the time.
  const [{ worker, launcher }] = await Promise.all([step("worker and launcher", () => buildSandboxed({ release })), pages()]);
  const { desktop, server, frames } = await step(window ? "desktop app" : "server", () => (window ? buildDesktop({ release }) : buildServer({ release })));

  const env = { ...process.env, LOGE_WORKER: reachable(worker), LOGE_LAUNCHER: reachable(launcher), LOGE_FRAMES: reachable(frames), LOGE_LISTEN: values.listen ?? process.env.LOGE_LISTEN ?? "0.0.0.0:8096" };
  if (values["data-dir"]) env.LOGE_DATA_DIR = values["data-dir"];
  if (values.runtime) env.LOGE_RUNTIME = values.runtime;
  if (env.LOGE_RUNTIME !== "process") Object.assign(env, await containers(worker, frames));

  say(`ready to run after ${took(began)}`);
  const watcher = values.dev ? spawn("npm", ["run", "--silent", "--workspace", "ui", "build", "--", "--watch"], { cwd: root, stdio: ["ignore", "ignore", "inherit"] }) : null;
  try {
    return await foreground(desktop ?? server, window ? [] : ["serve"], env);
  } finally {
    watcher?.kill();
  }
});

async function pages() {
  await step("npm packages", ensureNodeModules);
  await step("web UI", buildUi);
}

/** Before the first build, which is long: how long, and why. Later ones compile what changed. */
function sayHowLong(release, program) {
  if (!release || existsSync(join(targetDir, "release", program))) return;
  // The last crates wait for each other, so many cores do not help to the end.
  const minutes = Math.max(1, Math.ceil(FIRST_BUILD_S / 60 / Math.min(availableParallelism(), 6)));
  say(`the first build takes about ${minutes} ${minutes === 1 ? "minute" : "minutes"} on this machine: Loge and the libraries it is made of are compiled once. The next start takes seconds.`);
}

/** What the server needs to know to use containers; nothing, with one line said, when there is no engine. */
async function containers(worker, frames) {
  const engine = await findEngine();
  if (!engine.host) {
    say(`no Docker Engine (${engine.reason}): viewers get a process sandbox instead of a container`);
    return {};
  }
  return { DOCKER_HOST: engine.host, LOGE_WORKER_IMAGE: await ensureWorkerImage({ socket: engine.socket, worker, frames }) };
}

/**
 * The program itself, or a copy where the sandbox's user can reach it: started by root, Loge
 * gives its process sandboxes a user of their own, who may not walk into root's home.
 */
function reachable(program) {
  if (process.getuid() !== 0 || everyoneReaches(program)) return program;
  const folder = "/var/cache/loge/bin";
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const copy = join(folder, basename(program));
  // Renamed into place: a running worker keeps the file it was started from.
  copyFileSync(program, `${copy}.part`);
  chmodSync(`${copy}.part`, 0o755);
  renameSync(`${copy}.part`, copy);
  return copy;
}

function everyoneReaches(path) {
  for (let at = path; at !== "/"; at = dirname(at)) if (!(statSync(at).mode & 0o001)) return false;
  return true;
}

async function step(name, work) {
  const since = Date.now();
  const answer = await work();
  if (Date.now() - since > 3000) say(`${name}: ${took(since)}`);
  return answer;
}
