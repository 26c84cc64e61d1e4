// A private Docker engine for tests and trials: own data, own sockets, own pid file, all below
// one folder, so that nothing of it is left when the folder is gone and no other engine on the
// machine notices. As a program:
//
//   node scripts/engine.mjs start  [--dir DIR]    prints DOCKER_HOST=unix://…
//   node scripts/engine.mjs status --dir DIR
//   node scripts/engine.mjs stop   --dir DIR
//
// An engine folder is used once: a second daemon pointed at a used exec-root would unlink the
// first one's containerd socket.
import { spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { call, ping, socketOf } from "./lib/docker-api.mjs";
import { alive, capture, until, which } from "./lib/run.mjs";
import { main, Refusal, say } from "./lib/say.mjs";

const PREFIX = "loge-engine-";

/** The engine that is already there and lets us in: DOCKER_HOST, else the system's socket. */
export async function findEngine() {
  const hosts = process.env.DOCKER_HOST ? [process.env.DOCKER_HOST] : ["unix:///var/run/docker.sock"];
  const tried = [];
  for (const host of hosts) {
    const socket = socketOf(host);
    if (!socket) {
      tried.push(`${host}: only unix:// is supported here`);
      continue;
    }
    const answer = await ping(socket);
    if (answer.ok) return { host, socket, ...answer };
    tried.push(`${host}: ${answer.reason}`);
  }
  return { host: null, reason: tried.join("; ") };
}

/**
 * Starts a private engine and waits until it answers. With `networks`, its containers can have some:
 * then it sets rules for packets, which belongs into a network of the caller's own. `owner` is the process on whose behalf it
 * runs; when that process is gone, the next start clears the engine away.
 * Answers `{ host, socket, dir, version, driver, reused: false }`, or throws a Refusal with the reason.
 */
export async function startEngine({ dir, owner = null, networks = false } = {}) {
  if (process.getuid() !== 0) return startThroughSudo(dir, owner);
  await sweepAbandoned();
  const dockerd = which("dockerd");
  if (!dockerd) throw new Refusal("there is no dockerd (Debian and Ubuntu package: docker.io)");
  if (dir && existsSync(dir) && readdirSync(dir).length > 0) throw new Refusal(`${dir} is not empty: an engine folder is used once`);
  const home = dir ? resolve(dir) : mkdtempSync(join(tmpdir(), PREFIX));
  mkdirSync(home, { recursive: true });
  // A caller's group may pass through to the socket, nobody may look around.
  chmodSync(home, 0o711);

  const failures = [];
  for (const driver of ["overlay2", "vfs"]) {
    const started = await tryDriver({ dockerd, home, driver, owner, networks });
    if (started.host) return started;
    failures.push(`${driver}: ${started.reason}`);
    await clear(home, { keepFolder: true });
  }
  await clear(home);
  throw new Refusal(`the Docker engine does not start here (${failures.join("; ")})`);
}

/** Stops the engine of a folder and removes every trace of it. Safe to repeat, also after a crash of dockerd. */
export async function stopEngine(dir) {
  if (process.getuid() !== 0) {
    if (existsSync(dir)) capture("sudo", ["-n", process.execPath, fileURLToPath(import.meta.url), "stop", "--dir", dir], { stdio: "inherit" });
    return;
  }
  await clear(resolve(dir));
}

async function tryDriver({ dockerd, home, driver, owner, networks }) {
  const socket = join(home, "docker.sock");
  const log = join(home, "dockerd.log");
  const out = openSync(log, "w");
  writeFileSync(join(home, "daemon.json"), "{}");
  const child = spawn(
    dockerd,
    [
      // An engine of its own answers to nobody's daemon.json.
      ...["--config-file", join(home, "daemon.json")],
      ...["--data-root", join(home, "data"), "--exec-root", join(home, "exec"), "--pidfile", join(home, "docker.pid")],
      ...["-H", `unix://${socket}`, "--storage-driver", driver, "--log-level", "warn"],
      // Loges have no network at all, so the engine needs neither bridge nor firewall rules.
      ...(networks ? [] : ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--userland-proxy=false"]),
      // Only matters where a system containerd runs, which dockerd would then use.
      ...["--containerd-namespace=loge", "--containerd-plugins-namespace=loge-plugins"],
    ],
    { detached: true, stdio: ["ignore", out, out], cwd: "/", env: { PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`, TMPDIR: home } },
  );
  closeSync(out);
  let ended = null;
  child.once("error", (error) => (ended = error.message));
  child.once("exit", (code, signal) => (ended = `ended with ${signal ?? code}`));
  child.unref();
  writeFileSync(join(home, "engine.json"), JSON.stringify({ pid: child.pid ?? null, owner }));

  const answer = await until(async () => (ended ? { ok: false } : (await ping(socket)).ok && (await ping(socket))), { timeoutMs: 60_000 });
  if (answer?.ok) {
    if (process.env.SUDO_GID) chownSync(socket, 0, Number(process.env.SUDO_GID));
    return { host: `unix://${socket}`, socket, dir: home, reused: false, version: answer.version, driver: answer.driver, cgroup: answer.cgroup };
  }
  return { host: null, reason: whyItEnded(log) ?? ended ?? "no answer in 60 s" };
}

/** The last line of the log that says why, in dockerd's own words. */
function whyItEnded(log) {
  const lines = readFileSync(log, "utf8").trim().split("\n");
  const told = lines.findLast((line) => /failed to start daemon|permitted|denied/.test(line)) ?? lines.at(-1);
  return told ? told.replace(/^time="[^"]*" level=\w+ msg=/, "").slice(0, 300) : null;
}

async function clear(home, { keepFolder = false } = {}) {
  if (!existsSync(home)) return;
  await removeContainers(join(home, "docker.sock"));
  const record = readJson(join(home, "engine.json"));
  await endProcess(record?.pid, home);
  // What is left now belongs to a daemon that died: the containers' first processes, then
  // the shims and containerd, each known by our folder in its own records.
  const ids = [];
  for (const { pid, id } of orphanedInits(home)) {
    ids.push(id);
    signal(pid, "SIGKILL");
  }
  for (const pid of processesNaming(home)) await endProcess(pid, home);
  unmountBelow(home);
  for (const id of ids) removeCgroups(id);
  removeEmptyHouses();
  if (keepFolder) {
    for (const entry of ["data", "exec", "docker.sock", "docker.pid"]) rmSync(join(home, entry), { recursive: true, force: true });
  } else {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** While the engine answers, it tidies up best itself. The folder is private, so every container in it is ours. */
async function removeContainers(socket) {
  try {
    const listed = await call(socket, "GET", "/containers/json?all=1", { timeoutMs: 5000 });
    for (const { Id } of JSON.parse(listed.body)) {
      await call(socket, "DELETE", `/containers/${Id}?force=1&v=1`, { timeoutMs: 20_000 });
    }
  } catch {
    // It does not answer: the steps after this one do without it.
  }
}

async function endProcess(pid, home) {
  if (!pid || !commandLine(pid).includes(home)) return;
  signal(pid, "SIGTERM");
  const gone = () => !commandLine(pid).includes(home);
  if (await until(gone, { timeoutMs: 15_000 })) return;
  signal(pid, "SIGKILL");
  await until(gone, { timeoutMs: 5000 });
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // Already gone.
  }
}

function commandLine(pid) {
  try {
    // A zombie has an empty command line, which reads as gone: right for our purpose.
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** First processes of containers whose records are below our exec-root and that still live in their cgroup. */
function orphanedInits(home) {
  const found = [];
  const tasks = join(home, "exec/containerd/daemon/io.containerd.runtime.v2.task");
  for (const namespace of list(tasks)) {
    for (const id of list(join(tasks, namespace))) {
      const pid = Number(readText(join(tasks, namespace, id, "init.pid")));
      if (pid > 1 && readText(`/proc/${pid}/cgroup`).includes(id)) found.push({ pid, id });
    }
  }
  return found;
}

function processesNaming(home) {
  return list("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => /dockerd|containerd/.test(readText(`/proc/${pid}/comm`)) && commandLine(pid).includes(home))
    .map(Number);
}

function unmountBelow(home) {
  const mounted = readText("/proc/self/mounts")
    .split("\n")
    .map((line) => line.split(" ")[1]?.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => path?.startsWith(`${home}/`));
  for (const path of mounted.reverse()) capture("umount", ["-l", path]);
}

function removeCgroups(id) {
  for (const root of cgroupRoots()) {
    for (const parent of ["docker", ...housesIn(root)]) rmdirQuietly(join(root, parent, id));
  }
}

/** The groups around all loges of a house; a house that was killed leaves its own, empty. */
function removeEmptyHouses() {
  for (const root of cgroupRoots()) {
    for (const house of housesIn(root)) rmdirQuietly(join(root, house));
  }
}

const cgroupRoots = () => ["/sys/fs/cgroup", ...list("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name))];
const housesIn = (root) => list(root).filter((name) => /^loge-[0-9a-f]{32}$/.test(name));

function rmdirQuietly(folder) {
  try {
    rmdirSync(folder);
  } catch {
    // Not there, in use, or the kernel still counts a dying process.
  }
}

/** Engines whose owner died without stopping them (a killed test run). */
async function sweepAbandoned() {
  for (const name of list(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const home = join(tmpdir(), name);
    const owner = readJson(join(home, "engine.json"))?.owner;
    if (owner && !alive(owner)) {
      say(`clearing away an engine that a stopped run left in ${home}`);
      await clear(home);
    }
  }
}

function startThroughSudo(dir, owner) {
  const self = fileURLToPath(import.meta.url);
  const args = ["-n", process.execPath, self, "start", "--json", ...(dir ? ["--dir", dir] : []), ...(owner ? ["--owner", String(owner)] : [])];
  const done = which("sudo") ? capture("sudo", args) : { ok: false, stderr: "a Docker engine needs root, and there is no sudo" };
  if (!done.ok) throw new Refusal(`no private Docker engine: ${done.stderr.trim()}`);
  return JSON.parse(done.stdout);
}

function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { dir: { type: "string" }, owner: { type: "string" }, json: { type: "boolean" } },
    });
    const verb = positionals[0];
    if (verb === "start") {
      const engine = await startEngine({ dir: values.dir, owner: values.owner ? Number(values.owner) : null });
      if (values.json) {
        console.log(JSON.stringify(engine));
      } else {
        say(`Docker engine ${engine.version} (${engine.driver}, cgroup v${engine.cgroup}); stop it with: node scripts/engine.mjs stop --dir ${engine.dir}`);
        console.log(`DOCKER_HOST=${engine.host}`);
      }
      // dockerd runs on without us.
      process.exit(0);
    }
    if (verb !== "stop" && verb !== "status") throw new Refusal("usage: engine.mjs start [--dir DIR] | status --dir DIR | stop --dir DIR");
    if (!values.dir) throw new Refusal(`${verb} needs --dir`);
    if (verb === "stop") return void (await stopEngine(values.dir));
    const answer = await ping(join(resolve(values.dir), "docker.sock"));
    console.log(answer.ok ? `runs: ${answer.version} (${answer.driver}, cgroup v${answer.cgroup})` : `does not run: ${answer.reason}`);
    return answer.ok ? 0 : 1;
  });
}
