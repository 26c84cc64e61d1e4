// An engine of our own with networks, the local images that stand in for those of a registry, and
// stacks of deploy/ on it. Meant to run in a network of its own (see scripts/test.mjs).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEngine, stopEngine } from "../../../scripts/engine.mjs";
import { root } from "../../../scripts/lib/paths.mjs";
import { capture, mustCapture, which } from "../../../scripts/lib/run.mjs";
import { Refusal, say, took } from "../../../scripts/lib/say.mjs";
import { eventually } from "../../browser/support/house.mjs";
import { ensureBase } from "../../packages/support/machine.mjs";

/** All that any container of the two stacks needs, so that one base does for all of them. */
const INCLUDED = ["ffmpeg", "nginx-light", "postgresql", "perl-base"];
const PROGRAMS = { "loge-server": "LOGE_SERVER", "loge-worker": "LOGE_WORKER", "loge-launch": "LOGE_LAUNCHER", "loge-frames": "LOGE_FRAMES" };
const BASE = "loge-test-base:1";
const BUILD = "loge-test-programs:1";
export const POSTGRES = "loge-test-postgres:1";
/** The older language, whichever of the two programs is there. */
const compose = which("docker-compose") ? ["docker-compose"] : ["docker", "compose"];

/** Why no stack can be had here, or null. */
export function inTheWay() {
  if (process.getuid() !== 0) return "an engine with networks needs root";
  for (const program of ["dockerd", "docker", "mmdebstrap", "iptables", ...compose.slice(0, 1)]) if (!which(program)) return `${program} is not installed`;
  return null;
}

export async function openSite() {
  const engine = await startEngine({ owner: process.pid, networks: true });
  const folder = mkdtempSync(join(tmpdir(), "loge-stack-"));
  const env = { ...process.env, DOCKER_HOST: engine.host, DOCKER_BUILDKIT: "0", COMPOSE_DOCKER_CLI_BUILD: "0" };
  const docker = (...args) => mustCapture("docker", args, { env, timeout: 600_000 });
  const close = async () => {
    await stopEngine(engine.dir);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    makeImages(folder, docker, env);
    const local = { LOGE_BUILD_BASE: BUILD, LOGE_NODE_BASE: BASE, LOGE_RUNTIME_BASE: BASE, LOGE_CHIP_DRIVERS: "", LOGE_NGINX_IMAGE: BASE, LOGE_POSTGRES_IMAGE: POSTGRES, LOGE_ENGINE_SOCKET: engine.socket };
    return { folder, docker, close, stack: (file, project, more) => openStack({ file, project, docker, env: { ...env, ...local, ...more } }) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The bases. Whatever the files of deploy/ make of them is made by the files. */
function makeImages(folder, docker, env) {
  const since = Date.now();
  const piped = spawnSync("sh", ["-c", 'tar -C "$1" -c . | docker import - "$2"', "sh", ensureBase(INCLUDED), BASE], { env, encoding: "utf8", timeout: 300_000 });
  if (piped.status !== 0) throw new Refusal(`the base was not taken: ${piped.stderr}`);
  const make = (name, lines, files) => {
    const context = join(folder, name.replace(/\W/g, "-"));
    mkdirSync(context);
    for (const [to, from] of Object.entries(files)) {
      copyFileSync(from, join(context, to));
      chmodSync(join(context, to), 0o755);
    }
    writeFileSync(join(context, "Dockerfile"), [`FROM ${BASE}`, ...lines].join("\n"));
    docker("build", "--quiet", "--tag", name, context);
  };
  const programs = Object.fromEntries(
    Object.entries(PROGRAMS).map(([name, variable]) => {
      // A tenth of the size, which is copied from stage to stage.
      const slim = join(folder, name);
      mustCapture("strip", ["--strip-debug", "-o", slim, process.env[variable] ?? assert.fail(`${variable} is not set; run these tests with: npm test -- --only deploy`)]);
      return [name, slim];
    }),
  );
  make(BUILD, ["COPY . /programs/", "RUN rm /programs/Dockerfile"], programs);
  const data = "/var/lib/postgresql/data";
  make(POSTGRES, [`RUN usermod -u 999 postgres && groupmod -g 999 postgres && install -d -o 999 -g 999 -m 0700 ${data}`, `ENV PGDATA=${data}`, "COPY postgres-entrypoint.sh /entrypoint.sh", 'ENTRYPOINT ["/entrypoint.sh"]'], {
    "postgres-entrypoint.sh": join(import.meta.dirname, "postgres-entrypoint.sh"),
  });
  say(`local bases of images made in ${took(since)}`);
}

/** One file of deploy/ under a project's name. */
function openStack({ file, project, docker, env }) {
  const args = (rest) => [...compose.slice(1), "--project-name", project, "--file", join(root, "deploy", file), ...rest];
  const run = (...rest) => mustCapture(compose[0], args(rest), { env, timeout: 900_000 });
  const ask = (...rest) => capture(compose[0], args(rest), { env, timeout: 120_000 });
  const list = (what, format) => docker(...what, "--filter", `label=com.docker.compose.project=${project}`, "--format", format).trim().split("\n").filter(Boolean);
  const container = (service) => {
    const id = list(["ps", "--all", "--filter", `label=com.docker.compose.service=${service}`], "{{.ID}}");
    assert.equal(id.length, 1, `${service}: ${id}`);
    return id[0];
  };
  const inspect = (service) => JSON.parse(docker("inspect", container(service)))[0];
  const settled = (service) => eventually(`${service} to be well`, () => inspect(service).State.Health?.Status === "healthy", 180_000);
  return {
    run,
    ask,
    inspect,
    settled,
    containers: () => list(["ps", "--all"], "{{.Names}}"),
    networks: () => list(["network", "ls"], "{{.Name}}"),
    volumes: () => list(["volume", "ls"], "{{.Name}}").map((name) => name.replace(`${project}_`, "")).sort(),
    loges: () => docker("ps", "--all", "--filter", "label=loge.install", "--format", "{{.Names}}").trim().split("\n").filter(Boolean),
    logs: (service) => run("logs", "--no-color", service),
    doctor: (...more) => JSON.parse(run("exec", "-T", ...more, "server", "loge-server", "doctor", "--json")).checks,
    setupCode: () => eventually("a setup code", () => [...run("logs", "--no-color", "server").matchAll(/setup code: (\S+)/g)].at(-1)?.[1]),
    /** What stands in the log when something went wrong. */
    autopsy: () => ask("logs", "--no-color", "--tail", "40").stdout,
  };
}

