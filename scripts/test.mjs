// `npm test`: sets up what the tests need and runs all of them. `.ci/run` is this and nothing else.
//
//   npm test -- [--only rust|ui|containers|security|browser|desktop|packages|deploy|soak]
//
// A failed check does not hide the ones after it; only what they are built from does. What was
// skipped, whole or in part, is said and is not counted among what passed.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildEverything, buildFrames, buildProbe, buildSandboxed, cargo, cargoEnv } from "./lib/cargo.mjs";
import { libtestReader } from "./lib/libtest.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { root, skipsReporter } from "./lib/paths.mjs";
import { run, signalRunning, which } from "./lib/run.mjs";
import { heading, main, Refusal, say, took, warn } from "./lib/say.mjs";
import { outcomeOf, summarize } from "./lib/summary.mjs";
import { openTestHouse } from "./lib/test-house.mjs";
import { buildUi, ensureNodeModules, uiScript } from "./lib/web.mjs";

const GROUPS = ["rust", "ui", "containers", "security", "browser", "desktop", "packages", "deploy", "soak"];
const debug = { release: false };
/** Everything that speaks with loges, real or scripted. `LOGE_LONG` repeats each fault as often as a release should see it. */
const CONTAINER_TESTS = ["room", "engine", "hostile", "real", "watch", "playback", "rows", "bad_input", "heals", "lending", "storms"];

/** What the steps hand on to each other. */
const made = {};
let house;
let stopped = false;

/**
 * name, the groups it belongs to, what it does; `vital` steps end the run when they fail. A step
 * answers nothing, or `{ skipped }` with the reason, or `{ without }` with what it left out.
 */
const steps = [
  { name: "system packages", for: GROUPS, vital: true, run: () => ensurePackages(["build", "media", "desktop", "docker", "test"]) },
  { name: "npm packages", for: GROUPS, vital: true, run: ensureNodeModules },
  { name: "cargo fmt", for: ["rust"], run: () => cargo(["fmt", "--all", "--check"]) },
  { name: "UI build", for: GROUPS, vital: true, run: buildUi },
  { name: "UI types", for: ["ui"], run: () => uiScript("check") },
  { name: "UI lint", for: ["ui"], run: () => uiScript("lint") },
  { name: "UI tests", for: ["ui"], run: () => uiScript("test") },
  { name: "clippy, desktop included", for: ["rust"], run: () => cargo(["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--keep-going", "--", "-D", "warnings"]) },
  { name: "worker and launcher", for: ["rust", "containers", "security", "browser", "desktop", "packages", "deploy", "soak"], vital: true, run: async () => Object.assign(made, await buildSandboxed(debug)) },
  { name: "probe", for: ["rust", "security"], vital: true, run: async () => Object.assign(made, await buildProbe()) },
  { name: "frames", for: ["security"], only: true, vital: true, run: async () => Object.assign(made, await buildFrames(debug)) },
  { name: "programs and tests", for: ["rust", "containers", "browser", "desktop", "packages", "deploy", "soak"], vital: true, run: async () => Object.assign(made, await buildEverything()) },
  { name: "sample media, engine, image", for: ["rust", "containers", "security", "browser", "desktop", "packages", "deploy", "soak"], vital: true, run: async () => (house = await openTestHouse(made)) },
  { name: "cargo test", for: ["rust"], run: () => cargoTests(["--workspace", "--quiet"]) },
  { name: "cargo test, containers", for: ["containers"], only: true, run: () => cargoTests(["--workspace", ...CONTAINER_TESTS.flatMap((name) => ["--test", name])], { LOGE_LONG: "1" }, ["--nocapture", "--test-threads=1"]) },
  { name: "cargo test, security", for: ["security"], only: true, run: security },
  { name: "engine, image and media tests", for: ["containers"], run: () => nodeTests("scripts") },
  { name: "browser tests", for: ["browser"], run: () => nodeTests("browser") },
  { name: "desktop tests", for: ["desktop"], run: () => nodeTests("desktop") },
  { name: "soak, three minutes", for: ["soak"], run: soak },
  { name: "package tests", for: ["packages"], run: () => nodeTests("packages") },
  { name: "deployment tests", for: ["deploy"], run: deployment },
  { name: "cargo deny", for: ["rust"], run: deny },
  { name: "nothing left behind", for: ["rust", "containers", "security", "browser", "desktop", "packages", "deploy", "soak"], run: () => house.proveEmpty() },
];

await main(async () => {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  if (values.only && !GROUPS.includes(values.only)) throw new Refusal(`--only takes one of: ${GROUPS.join(", ")}`);
  ensureToolchain();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, () => interrupted(name));

  const began = Date.now();
  const results = [];
  try {
    for (const step of steps.filter((step) => (values.only ? step.for.includes(values.only) : !step.only))) {
      heading(step.name);
      const since = Date.now();
      const result = { name: step.name, ...(await attempt(step)), took: took(since) };
      results.push(result);
      const { word, note } = outcomeOf(result);
      say(`${step.name}: ${word} in ${result.took}${word === "ok" || word === "FAILED" ? "" : `, ${note}`}`);
      if (stopped || (result.failure && step.vital)) break;
    }
  } finally {
    await house?.close();
  }

  heading("summary");
  const { lines, closing, code } = summarize(results, took(began));
  for (const line of lines) say(line);
  say(closing);
  return code;
});

async function attempt(step) {
  try {
    const { skipped = null, without = [] } = (await step.run()) ?? {};
    return { skipped, without };
  } catch (error) {
    warn(error instanceof Refusal ? error.message : error.stack);
    return { failure: error.message.split("\n")[0] };
  }
}

/** Rust's tests, with what the house and the machine made them leave out. */
async function cargoTests(what, env = {}, how = []) {
  const read = libtestReader();
  await cargo(["test", "--locked", "--no-fail-fast", ...what, "--", "--show-output", ...how], { ...house.env, ...env }, read.line);
  return { without: [...house.missing, ...read.skips] };
}

/** The test files of a folder, with Node's own runner; one at a time, since each starts whole programs. `within` is what they run inside of. */
async function nodeTests(folder, within = []) {
  const path = join(root, "tests", folder);
  const files = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(".test.mjs")) : [];
  if (files.length === 0) throw new Refusal(`there is no test in tests/${folder}`);
  // How Firefox is spoken to; Node 22 has it without asking.
  const socket = typeof WebSocket === "undefined" ? ["--experimental-websocket"] : [];
  const notes = mkdtempSync(join(tmpdir(), "loge-skips-"));
  const skips = join(notes, "skips");
  const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout", `--test-reporter=${skipsReporter}`, `--test-reporter-destination=${skips}`];
  try {
    const [program, ...before] = [...within, process.execPath];
    await run(program, [...before, ...socket, "--test", "--test-concurrency=1", ...reporters, ...files.map((name) => join(path, name))], {
      cwd: root,
      env: cargoEnv(house.env),
      expect: `tests/${folder} failed`,
      limitS: 2100,
    });
    return { without: [...house.missing, ...readFileSync(skips, "utf8").split("\n").filter(Boolean)] };
  } finally {
    rmSync(notes, { recursive: true, force: true });
  }
}

/** Eight people at many times their films' speed: what grows so fast that three minutes show it. */
async function soak() {
  await run(process.execPath, [join(root, "scripts/soak.mjs"), "--minutes", "3"], { cwd: root, env: cargoEnv(house.env), expect: "something grows, or the soak could not run", limitS: 600 });
}

/** Whole stacks of containers, in a network of their own: their addresses and rules for packets go with it. */
function deployment() {
  if (process.getuid() !== 0) return { skipped: "an engine with networks needs root" };
  return nodeTests("deploy", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]);
}

/** The walls tried from inside, and everything a hostile worker, client or file may say. */
async function security() {
  const rooms = [
    ["loge-launcher"],
    ["loge-frames"],
    ["loge-worker", "--test", "sheets", "--test", "jobs"],
    ["loge-loges", "--lib", "--test", "probe", "--test", "hostile", "--test", "engine", "--test", "real", "--test", "room"],
    ["loge-tests", "--test", "doors"],
  ];
  const [failed, without] = [[], []];
  for (const room of rooms) {
    const done = cargoTests(["--quiet", "-p", ...room]);
    await done.then((found) => without.push(...found.without)).catch((error) => failed.push(`${room[0]}: ${error.message}`));
  }
  if (failed.length > 0) throw new Refusal(failed.join("; "));
  return { without };
}

async function deny() {
  // Building it takes longer than all the other steps, so it is used where it is installed.
  if (!which("cargo-deny")) return { skipped: "cargo-deny is not installed (cargo install --locked cargo-deny)" };
  await cargo(["deny", "--offline", "check", "licenses", "bans", "sources"]);
}

/** A stopped run leaves as little behind as a finished one. */
async function interrupted(name) {
  warn(`${name}: stopping and clearing up`);
  stopped = true;
  signalRunning("SIGTERM");
  await house?.close();
  process.exit(130);
}
