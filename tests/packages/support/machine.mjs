// A machine for packages: a fresh Debian (or Ubuntu) of this machine's release, in namespaces of its
// own, with systemd as its first process where the kernel lets it. What is written in it is gone
// with it; its base is made once and kept in the cache.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { cacheDir } from "../../../scripts/lib/paths.mjs";
import { capture, mustCapture, until, which } from "../../../scripts/lib/run.mjs";
import { say, took } from "../../../scripts/lib/say.mjs";

/** A change here, or another release, makes a new base. */
const RECIPE = "1";
/** What the package depends on: it is installed with dpkg, and nothing is fetched for it. */
const INCLUDED = ["systemd", "ffmpeg"];
const INIT = ["/lib/systemd/systemd", "systemd.unified_cgroup_hierarchy=1"];
const boot = join(import.meta.dirname, "boot.sh");

/** Why no machine can be had here, or null. */
export function inTheWay() {
  if (process.getuid() !== 0) return "a machine for packages needs root";
  for (const program of ["mmdebstrap", "unshare", "nsenter", "ip"]) if (!which(program)) return `${program} is not installed`;
  return null;
}

/** Opens a machine. `booted` says whether systemd runs in it; `close` leaves nothing. */
export async function openMachine() {
  const base = ensureBase(INCLUDED);
  const folder = mkdtempSync(join(tmpdir(), "loge-deb-"));
  for (const name of ["upper", "work", "root"]) mkdirSync(join(folder, name));
  const group = ownGroup();
  let machine = group && (await start({ base, folder, group, init: INIT }));
  const isUp = async () => /^(running|degraded)$/m.test(machine.run("systemctl", ["is-system-running"]).stdout);
  if (machine) await until(async () => !machine.lives() || (await isUp()), { timeoutMs: 30_000, everyMs: 200 });
  const booted = Boolean(machine?.lives() && (await isUp()));
  if (!booted) {
    await machine?.end();
    machine = await start({ base, folder, group, init: ["/usr/bin/sleep", "infinity"] });
  }
  const close = async () => {
    await machine.end();
    if (group) removeGroup(group);
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...machine, booted, close };
}

async function start({ base, folder, group, init }) {
  // In a group of its own before there are namespaces, so that the machine sees that one as its root.
  const enter = group ? `echo $$ > ${group}/cgroup.procs; ` : "";
  const unshare = ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup", "--kill-child", boot, base, folder, ...init];
  const child = spawn("sh", ["-c", `${enter}exec "$@"`, "sh", ...unshare], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const lives = () => child.exitCode === null && child.signalCode === null;
  const first = () => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim()) || null;
  const pid = await until(() => (lives() ? first() : -1), { timeoutMs: 10_000 });
  const inside = (program, args) => ["nsenter", ["--target", String(pid), "--all", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", program, ...args]];
  const run = (program, args = [], options = {}) => capture(...inside(program, args), options);
  // Until it has entered its own root, a program would run in ours.
  const isOwn = () => run("test", ["!", "-e", join(folder, "root")]).ok;
  await until(() => !lives() || isOwn(), { timeoutMs: 10_000 });
  // What is meant for the machine must never reach this one.
  if (lives() && !isOwn()) {
    child.kill("SIGKILL");
    throw new Error("the machine did not enter its own root");
  }
  return {
    lives,
    run,
    /** Runs a program that must succeed, and answers what it printed. */
    must: (program, ...args) => mustCapture(...inside(program, args)),
    /** Copies a file or folder of this machine into it. */
    put: (from, to) => {
      const tar = spawnSync("tar", ["-C", dirname(from), "-c", basename(from)], { maxBuffer: 1 << 30 });
      const name = basename(from);
      return mustCapture(...inside("sh", ["-c", `mkdir -p "$1" && tar -C "$1" --no-same-owner -x && chmod -R a+rX "$1/${name}"`, "sh", to]), { input: tar.stdout });
    },
    /** Starts a program of this machine in its network. */
    besides: (program, args) => spawn("nsenter", ["--target", String(pid), "--net", program, ...args], { stdio: ["pipe", "pipe", "inherit"] }),
    end: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** The file system of a fresh machine with these packages, made from where this one has its own. */
export function ensureBase(included) {
  const release = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "stable";
  const hash = createHash("sha256").update([RECIPE, release, process.arch, ...included].join(" ")).digest("hex").slice(0, 12);
  const base = join(cacheDir, `machine-${release}-${hash}`);
  if (existsSync(base)) return base;
  const since = Date.now();
  say(`making a fresh ${release} with ${included.join(", ")}; this is done once`);
  mkdirSync(cacheDir, { recursive: true });
  const part = mkdtempSync(join(cacheDir, "machine-part-"));
  try {
    mustCapture("mmdebstrap", ["--quiet", "--mode=root", "--variant=minbase", `--include=${included.join(",")}`, release, part, ...sources()], { timeout: 900_000 });
    renameSync(part, base);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  say(`a fresh ${release} made in ${took(since)}`);
  return base;
}

function sources() {
  const folder = "/etc/apt/sources.list.d";
  const listed = existsSync(folder) ? readdirSync(folder).filter((name) => /^(debian|ubuntu)\.(list|sources)$/.test(name)) : [];
  return [...(existsSync("/etc/apt/sources.list") ? ["/etc/apt/sources.list"] : []), ...listed.map((name) => join(folder, name))];
}

/** A control group of version 2 for one machine, or null. */
function ownGroup() {
  const mounted = readFileSync("/proc/self/mounts", "utf8").split("\n").find((line) => line.split(" ")[2] === "cgroup2");
  if (!mounted) return null;
  try {
    const group = mkdtempSync(join(mounted.split(" ")[1], "loge-deb-"));
    // Everybody may look at control groups.
    chmodSync(group, 0o755);
    return group;
  } catch {
    return null;
  }
}

/** The kernel empties a group a moment after its last process is gone. */
function removeGroup(group) {
  for (const entry of readdirSync(group, { withFileTypes: true })) if (entry.isDirectory()) removeGroup(join(group, entry.name));
  for (let tries = 0; ; tries += 1) {
    try {
      return rmdirSync(group);
    } catch (error) {
      if (tries === 100) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
