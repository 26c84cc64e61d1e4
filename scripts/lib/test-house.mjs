// Where whole-house tests live: one folder that holds their media, their programs and their
// temporary files, reachable for the sandbox's user (a home folder often is not), and a Docker
// engine beside it. When the tests are over, the folder proves that nothing was left behind.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { findEngine, startEngine, stopEngine } from "../engine.mjs";
import { fetchSampleMedia } from "../fetch-sample-media.mjs";
import { ensureWorkerImage } from "../worker-image.mjs";
import { call } from "./docker-api.mjs";
import { postgresPrograms, startPostgres } from "./postgres.mjs";
import { alive, mustCapture } from "./run.mjs";
import { Refusal, say, warn } from "./say.mjs";

const OWNER = "test-run.pid";

/**
 * `programs` are the built ones: worker, launcher, server and, when they are there, frames and
 * desktop. The house says in `missing` what this machine cannot offer.
 */
export async function openTestHouse(programs) {
  sweepAbandoned();
  const source = await fetchSampleMedia();
  // Short names: what tests make below it holds Unix sockets, whose paths end at 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), "loge-"));
  const engine = await engineForTests();
  let database = null;
  /** What tests have to do without, each with its reason. */
  const missing = engine.host ? [] : [`everything with Docker (${engine.reason})`];
  const close = async () => {
    await database?.close();
    if (engine.dir) await stopEngine(engine.dir);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, OWNER), String(process.pid));
    const temporary = join(folder, "t");
    mkdirSync(temporary);
    chmodSync(temporary, 0o1777);
    mkdirSync(join(folder, "bin"), { mode: 0o755 });
    // Copies, so that a test may break them; where the disk can, they share their blocks.
    const media = join(folder, "media");
    mustCapture("cp", ["-a", "--reflink=auto", source, media]);

    const env = { TMPDIR: temporary, LOGE_TEST_MEDIA: media };
    for (const [name, path] of Object.entries(programs)) {
      if (!path) continue;
      const copy = join(folder, "bin", basename(path));
      copyFileSync(path, copy);
      chmodSync(copy, 0o755);
      env[`LOGE_${name.toUpperCase()}`] = copy;
    }
    const lacking = env.LOGE_LAUNCHER && wallsMissing(env.LOGE_LAUNCHER, temporary);
    if (lacking) {
      warn(`this machine cannot build every wall of a process sandbox (${lacking}); tests allow reduced isolation there`);
      env.LOGE_TEST_ALLOW_REDUCED = "1";
    }
    if (engine.host) {
      const image = await ensureWorkerImage({ socket: engine.socket, worker: programs.worker, frames: programs.frames });
      const refused = await trial(engine.socket, image);
      if (refused) {
        missing.push(`everything with Docker (containers cannot run on this kernel: ${refused})`);
        warn(`tests with Docker are skipped: containers cannot run on this kernel (${refused})`);
      } else Object.assign(env, { DOCKER_HOST: engine.host, LOGE_WORKER_IMAGE: image });
    }
    // `npm test` installs it; other users of a test house do without.
    if (postgresPrograms()) {
      database = await startPostgres(join(folder, "pg"));
      env.LOGE_TEST_POSTGRES_URL = database.url;
    } else missing.push("everything with PostgreSQL (it is not installed)");
    // A Loge that runs on this machine for real is none of our business.
    const before = { containers: engine.host ? await containers(engine.socket) : [], workers: workers() };
    return { env, close, missing, proveEmpty: () => proveEmpty({ folder, temporary, engine, before }) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Folders of runs that were killed before they could clear up. */
function sweepAbandoned() {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith("loge-"))) {
    const owner = readSafely(join(tmpdir(), name, OWNER));
    if (owner && !alive(owner)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

async function engineForTests() {
  const found = await findEngine();
  if (found.host) {
    say(`using the Docker engine ${found.version} at ${found.host}`);
    return found;
  }
  try {
    const engine = await startEngine({ owner: process.pid });
    say(`started a private Docker engine ${engine.version} (${engine.driver}, cgroup v${engine.cgroup})`);
    return engine;
  } catch (error) {
    warn(`tests with Docker are skipped: ${error.message}`);
    return { host: null, reason: error.message };
  }
}

/** An engine that answers may still be unable to run anything. Answers null, or the reason. */
async function trial(socket, image) {
  const body = { Image: image, Entrypoint: ["/usr/bin/ffprobe", "-version"], NetworkDisabled: true, HostConfig: { NetworkMode: "none", ReadonlyRootfs: true, CapDrop: ["ALL"], Memory: 64 << 20 } };
  const created = JSON.parse((await call(socket, "POST", "/containers/create", { body })).body);
  if (!created.Id) return created.message;
  try {
    const started = await call(socket, "POST", `/containers/${created.Id}/start`);
    if (started.status !== 204) return JSON.parse(started.body).message;
    const ended = JSON.parse((await call(socket, "POST", `/containers/${created.Id}/wait`)).body);
    return ended.StatusCode === 0 ? null : `a container ended with exit code ${ended.StatusCode}`;
  } finally {
    await call(socket, "DELETE", `/containers/${created.Id}?force=1`);
  }
}

/** Which walls the launcher cannot build here, in its own words; "" when all stand. */
function wallsMissing(launcher, temporary) {
  const work = mkdtempSync(join(temporary, "walls-"));
  const limits = ["--memory", String(512 << 20), "--cpu-millis", "500", "--pids", "64", "--report-fd", "1"];
  try {
    // Without the walls there is no worker; with them "true" ends at once.
    const { stdout } = spawnSync(launcher, ["--socket", join(work, "none.sock"), "--work", work, "--exec-ro", "/usr/bin", ...limits, "--", "/usr/bin/true"], { encoding: "utf8" });
    return JSON.parse(stdout || "{}").fatal ?? "";
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function containers(socket) {
  return JSON.parse((await call(socket, "GET", "/containers/json?all=1")).body).map(({ Id, Names, State }) => ({ id: Id, text: `container ${Names?.[0] ?? Id} (${State})` }));
}

/** No container, process, mount or file of ours may be left. Throws with the whole list. */
async function proveEmpty({ folder, temporary, engine, before }) {
  const left = [];
  if (engine.host) {
    const known = new Set(before.containers.map(({ id }) => id));
    left.push(...(await containers(engine.socket)).filter(({ id }) => !known.has(id)).map(({ text }) => text));
  }
  for (const { pid, line } of processes()) {
    if (line.includes(folder) && !line.includes(join(folder, "pg"))) left.push(`process ${pid}: ${line.slice(0, 120)}`);
  }
  for (const { pid, line } of workers()) {
    if (!before.workers.some((one) => one.pid === pid) && !line.includes(folder)) left.push(`process ${pid}: ${line}`);
  }
  for (const line of readSafely("/proc/self/mounts").split("\n")) {
    if (line.includes(folder)) left.push(`mount ${line.split(" ")[1]}`);
  }
  for (const name of existsSync(temporary) ? readdirSync(temporary) : []) {
    if (strangers.some((pattern) => pattern.test(name))) continue;
    left.push(`temporary file ${name}`);
  }
  if (left.length > 0) throw new Refusal(`left behind:\n  ${left.join("\n  ")}`);
  say("no container, process, mount or temporary file is left");
}

function processes() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => ({ pid, line: readSafely(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim() }));
}

/** In a container the worker's command line is its path in the image. */
const workers = () => processes().filter(({ line }) => /^\/loge-worker\b/.test(line));

/** What other people's programs leave in TMPDIR: browsers and their sound, Node's compile cache, X servers. */
const strangers = [/^\.?org\.chromium\./, /^node-compile-cache$/, /^v8-compile-cache/, /^\.X\d+-lock$/, /^\.X11-unix$/, /^playwright/, /^xvfb-run\./, /^rustdoctest/, /^dconf/, /^pulse-/];

function readSafely(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
