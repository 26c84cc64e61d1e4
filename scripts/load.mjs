// `npm run test:load`: eight people watch at once through containers of their own, and the promises
// of the house are measured.
//
//   npm run test:load -- [--seconds 60] [--viewers 8] [--runtime docker|process] [--library DIR] [--debug] [--out DIR]
//
// Half of the viewers read a film with ranges and half in segments, at the film's own pace, with a
// buffer, seeks and new beginnings. Ends with a code other than 0 when a promise is broken that
// this machine can judge. The report is one HTML page and the figures as JSON. `--library` takes the
// films of a folder in the place of two made ones; the house itself finds out what they are.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { eventually, openHouse } from "../tests/browser/support/house.mjs";
import { buildSandboxed, buildServer } from "./lib/cargo.mjs";
import { socketOf } from "./lib/docker-api.mjs";
import { firstProcesses } from "./lib/load/containers.mjs";
import { besideGreedy } from "./lib/load/greedy.mjs";
import { heat, heatLines } from "./lib/load/heat.mjs";
import { castFilms } from "./lib/load/casting.mjs";
import { machineBusy, takenBy } from "./lib/load/machine.mjs";
import { report } from "./lib/load/report.mjs";
import { judge, percentile } from "./lib/load/verdicts.mjs";
import { Viewer, nowS } from "./lib/load/viewer.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { cacheDir, targetDir } from "./lib/paths.mjs";
import { heading, main, Refusal, say } from "./lib/say.mjs";
import { openTestHouse } from "./lib/test-house.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";

const OWNER = { username: "Olga", password: "a long night at the opera" };
const PASSWORD = "curtain up at eight";
const FILM_S = 180;
const FILM_BPS = 8_000_000;
/** Bytes per second for all together, while shares are measured. */
const TOTAL_RATE = 6_000_000;
const SHARE_WARM_S = 3;
const SHARE_S = 12;
/** A large library of real films is read for a while. */
const SCAN_AT_MOST_MS = 3_600_000;

await main(async () => {
  const { values } = parseArgs({
    options: { seconds: { type: "string", default: "60" }, viewers: { type: "string", default: "8" }, runtime: { type: "string" }, library: { type: "string" }, debug: { type: "boolean", default: false }, out: { type: "string" } },
  });
  const wish = { seconds: Number(values.seconds), viewers: Number(values.viewers), build: values.debug ? "debug" : "release" };
  if (!(wish.seconds >= 10) || !(wish.viewers >= 1 && wish.viewers <= 64)) throw new Refusal("--seconds is at least 10, --viewers lies between 1 and 64");
  if (values.runtime && !["docker", "process"].includes(values.runtime)) throw new Refusal("--runtime is docker or process");
  if (process.env.LOGE_SERVER) return run(process.env, values, wish); // programs that are built already
  ensureToolchain();
  await ensurePackages(["build", "media", "docker", "test"]);
  await ensureNodeModules();
  await buildUi();
  const release = !values.debug;
  const house = await openTestHouse({ ...(await buildSandboxed({ release })), ...(await buildServer({ release })) });
  try {
    return await run(house.env, values, wish);
  } finally {
    await house.close();
  }
});

async function run(env, values, wish) {
  Object.assign(process.env, env);
  const hasDocker = Boolean(env.DOCKER_HOST && env.LOGE_WORKER_IMAGE);
  const runtime = values.runtime ?? (hasDocker ? "docker" : "process");
  if (runtime === "docker" && !hasDocker) throw new Refusal("there is no container engine that can run containers here; try --runtime process");
  const out = resolve(values.out ?? join(targetDir, "load", runtime));
  const films = values.library ? realFilms(values.library) : loadFilms();
  const house = await openHouse(runtime);
  try {
    const found = await measure(house, films, { ...wish, runtime });
    const verdicts = judge(found);
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, "load.json"), JSON.stringify({ ...found, verdicts }, null, 1));
    writeFileSync(join(out, "load.html"), report(found, verdicts));
    heading("promises");
    for (const { promise, limit, measured, verdict, why } of verdicts) say(`${verdict.padEnd(10)}  ${promise}: ${measured} (${limit})${why ? `: ${why}` : ""}`);
    for (const line of found.heat) say(line);
    say(`report: ${join(out, "load.html")}`);
    return verdicts.some(({ verdict }) => verdict === "broken") ? 1 : 0;
  } finally {
    await house.close();
    if (films.remove) rmSync(films.remove, { recursive: true, force: true });
  }
}

async function measure(house, films, wish) {
  const claimed = await fetch(`${house.url}/api/v1/setup`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code: house.setupCode, server_name: "Load", ...OWNER }) });
  if (claimed.status !== 201) throw new Error(`setup: ${claimed.status} ${await claimed.text()}`);
  const owner = new Viewer({ url: house.url, name: OWNER.username, password: OWNER.password, seed: 0, kind: "range", title: { duration_s: 1 } });
  await owner.call("PATCH", "/admin/settings", { max_viewers: wish.viewers, allow_reduced_isolation: process.env.LOGE_TEST_ALLOW_REDUCED === "1" });
  const library = await owner.call("POST", "/libraries", { name: "Films", kind: "movies", folders: [films.folder] });
  await eventually("the scan", async () => {
    const { items } = await owner.call("GET", "/admin/jobs");
    return items.length > 0 && items.every((job) => ["done", "failed"].includes(job.state));
  }, SCAN_AT_MOST_MS);
  const cast = castFilms(await allTitles(owner), wish.viewers);
  if (cast.refused) throw new Refusal(cast.refused);
  for (const line of cast.lines) say(line);

  const viewers = [];
  for (let n = 0; n < wish.viewers; n++) {
    const name = `Viewer ${n + 1}`;
    const made = await owner.call("POST", "/admin/users", { username: name, password: PASSWORD, role: "viewer" });
    await owner.call("PUT", `/admin/users/${made.id}/grants`, { libraries: [library.id] });
    viewers.push(Object.assign(new Viewer({ url: house.url, name, password: PASSWORD, seed: n + 1, ...cast.parts[n] }), { id: made.id }));
  }
  const loges = async () => (await owner.call("GET", "/admin/containers")).items;
  const isReady = ({ state }) => state === "ready";

  heading("cold containers");
  const coldStarts = [];
  for (const viewer of viewers) {
    await viewer.call("GET", "/me"); // signed in, which starts the container
    await owner.call("POST", `/admin/containers/${viewer.id}/stop`);
    await eventually("an absent container", async () => (await loges()).every((one) => one.user_id !== viewer.id || one.state === "absent"));
    coldStarts.push(await viewer.glimpse());
  }
  say(`first pictures after ${coldStarts.map((s) => s.toFixed(2)).join(", ")} s`);

  heading(`${wish.viewers} viewers for ${wish.seconds} s, ${wish.runtime}`);
  const ready = (await loges()).filter(isReady);
  const heatBefore = heat();
  const sampler = await sample(house, wish.runtime, viewers, ready);
  await Promise.all(viewers.map((viewer) => viewer.watch(nowS() + wish.seconds)));
  const samples = sampler.stop();
  const heatSaid = heatLines(heatBefore, heat(), samples.map((sample) => sample.heat));
  const waits = viewers.flatMap(({ screen }) => screen.waits);
  const of = (kind) => waits.filter((wait) => wait.kind === kind).map(({ seconds }) => seconds);
  say(`${of("start").length} starts, ${of("seek").length} seeks, ${(viewers.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(0)} MB`);

  let greedy = null;
  if (wish.runtime === "docker") {
    heading("one viewer beside eight greedy containers");
    const model = (await loges()).find((one) => one.user_id === viewers.at(-1).id);
    const readers = viewers.filter(({ kind }) => kind === "range");
    greedy = await besideGreedy(socketOf(process.env.DOCKER_HOST), [readers[0], readers[1] ?? owner], model.container_id);
    const p95 = (values) => `${(percentile(values, 0.95) * 1000).toFixed(1)} ms`;
    say(`64 KiB, 95 of 100: ${p95(greedy.idle)} alone, ${p95(greedy.beside)} beside them; ${greedy.stalls.length} stalls; ${greedy.ends} times one of them was ended by its walls`);
  }

  heading("shares of a full wire");
  const shares = await measureShares(owner, viewers, cast.parts[0].title);
  say(`of ${(TOTAL_RATE / 1e6).toFixed(1)} MB/s: ${shares.map((share) => (share / 1e3).toFixed(0)).join(", ")} kB/s; the first had four connections`);

  return {
    at: new Date().toISOString(),
    runtime: wish.runtime,
    build: wish.build,
    seconds: wish.seconds,
    cores: cpus().length,
    processor: cpus()[0].model,
    filmBps: cast.bps,
    heat: heatSaid,
    viewers: viewers.length,
    containers: ready.filter(({ user_id }) => viewers.some(({ id }) => id === user_id)).length,
    warmStarts: of("start"),
    coldStarts,
    seeks: of("seek"),
    stalls: viewers.flatMap(({ screen }) => screen.stalls),
    failures: viewers.flatMap(({ failures }) => failures),
    bytes: viewers.map(({ bytes }) => bytes),
    kinds: viewers.map(({ kind }) => kind),
    cpuShare: samples.map(({ ours }) => ours / cpus().length),
    memoryBytes: samples.map(({ memory }) => memory),
    foreignCores: samples.map(({ foreign }) => foreign),
    totalRate: TOTAL_RATE,
    shares,
    greedy,
    samples,
  };
}

/** Once a second, until it is stopped. */
async function sample(house, runtime, viewers, loges) {
  const roots = [house.child.pid];
  if (runtime === "docker") roots.push(...(await firstProcesses(socketOf(process.env.DOCKER_HOST), loges)));
  const samples = [];
  const look = () => ({ at: nowS(), busy: machineBusy(), me: process.cpuUsage(), taken: takenBy(roots), bytes: viewers.map(({ bytes }) => bytes) });
  const began = nowS();
  let last = look();
  const timer = setInterval(() => {
    const next = look();
    const passed = next.at - last.at;
    const ours = Math.max(0, next.taken.seconds - last.taken.seconds) / passed;
    const me = (next.me.user + next.me.system - last.me.user - last.me.system) / 1e6 / passed;
    samples.push({
      at: next.at - began,
      ours,
      memory: next.taken.bytes,
      foreign: Math.max(0, (next.busy - last.busy) / passed - ours - me),
      rates: next.bytes.map((bytes, n) => (bytes - last.bytes[n]) / passed),
      ahead: viewers.map(({ screen }) => screen.ahead),
      heat: heat(),
    });
    last = next;
  }, 1000);
  return {
    stop: () => {
      clearInterval(timer);
      return samples;
    },
  };
}

/** All titles of the house, page by page. */
async function allTitles(owner) {
  const titles = [];
  for (let cursor = null; ; ) {
    const { items, next_cursor: next } = await owner.call("GET", `/titles?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    titles.push(...items);
    if (!next) return titles;
    cursor = next;
  }
}

/** Everybody takes what they get; the first has four connections where the others have one. */
async function measureShares(owner, viewers, title) {
  // All have their place before the wire becomes too small for so many.
  const urls = await Promise.all(viewers.map((viewer) => viewer.open(title)));
  await owner.call("PATCH", "/admin/settings", { total_rate_bps: TOTAL_RATE });
  const until = nowS() + SHARE_WARM_S + SHARE_S;
  const gulping = Promise.all(viewers.map((viewer, n) => viewer.gulp(urls[n], n === 0 ? 4 : 1, until).catch((error) => viewer.failures.push(`${viewer.name}: ${error.message}`))));
  await new Promise((resolve) => setTimeout(resolve, SHARE_WARM_S * 1000));
  const [from, before] = [nowS(), viewers.map(({ bytes }) => bytes)];
  await new Promise((resolve) => setTimeout(resolve, (until - nowS()) * 1000 - 300));
  const passed = nowS() - from;
  const shares = viewers.map(({ bytes }, n) => (bytes - before[n]) / passed);
  await gulping;
  await owner.call("PATCH", "/admin/settings", { total_rate_bps: null });
  return shares;
}

/** Two films at an even bit rate, made once: one that plays as it is, one that has to be cut into segments. */
function loadFilms() {
  const made = join(cacheDir, `load-films-${FILM_S}-${FILM_BPS / 1e6}`);
  const picture = ["-f", "lavfi", "-i", `testsrc2=s=1280x720:r=24`, "-f", "lavfi", "-i", "sine=f=220:r=48000", "-t", String(FILM_S), "-pix_fmt", "yuv420p"];
  const rate = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "48", "-b:v", String(FILM_BPS), "-minrate", String(FILM_BPS), "-maxrate", String(FILM_BPS), "-bufsize", String(FILM_BPS), "-x264-params", "nal-hrd=cbr"];
  const kinds = { "Even Keel (2020).mp4": ["-c:a", "aac", "-movflags", "+faststart"], "Long Wave (2021).mkv": ["-c:a", "ac3"] };
  if (!existsSync(made)) {
    say("making two films of three minutes for the load test");
    mkdirSync(cacheDir, { recursive: true });
    const building = mkdtempSync(join(cacheDir, "load-films-"));
    for (const [name, sound] of Object.entries(kinds)) {
      const done = spawnSync("ffmpeg", ["-nostdin", "-v", "error", "-y", ...picture, ...rate, ...sound, join(building, name)], { stdio: ["ignore", "inherit", "inherit"] });
      if (done.status !== 0) throw new Refusal(`ffmpeg could not make ${name}`);
    }
    renameSync(building, made);
  }
  // Where the user inside a container can read them; the cache lies in a home.
  const folder = mkdtempSync(join(process.env.TMPDIR ?? "/tmp", "loge-load-"));
  chmodSync(folder, 0o755);
  for (const name of Object.keys(kinds)) {
    const copied = spawnSync("cp", ["--reflink=auto", join(made, name), folder]);
    if (copied.status !== 0 || statSync(join(folder, name)).size === 0) throw new Refusal(`${name} could not be copied`);
    chmodSync(join(folder, name), 0o644);
  }
  return { folder, remove: folder };
}

/** The films of a folder, where they are. */
function realFilms(folder) {
  const path = resolve(folder);
  if (!existsSync(path) || !statSync(path).isDirectory()) throw new Refusal(`--library ${folder} is no folder`);
  return { folder: path, remove: null };
}
