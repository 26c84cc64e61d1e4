// `npm run test:soak`: eight people of all kinds watch at many times their films' speed, others sign in
// and out, libraries are scanned, and between such rounds the house is looked at while it rests: does
// anything grow?
//
//   npm run test:soak -- [--minutes 30] [--runtime docker|process] [--debug] [--out DIR]
//
// Ends with a code other than 0 when the server's memory or descriptors grow (scripts/lib/soak/verdict.mjs
// says when that is certain), when a request fails, or when descriptors that are left open on purpose at
// the end are not found to grow.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { eventually, openHouse } from "../tests/browser/support/house.mjs";
import { buildSandboxed, buildServer } from "./lib/cargo.mjs";
import { socketOf } from "./lib/docker-api.mjs";
import { filmFolder } from "./lib/film-folder.mjs";
import { firstProcesses } from "./lib/load/containers.mjs";
import { heat, heatLines } from "./lib/load/heat.mjs";
import { nowS, Person, sleep } from "./lib/load/person.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { targetDir } from "./lib/paths.mjs";
import { heading, main, Refusal, say, took } from "./lib/say.mjs";
import { EDITION, GUEST, makeFilms } from "./lib/soak/films.mjs";
import { lookAtHouse } from "./lib/soak/house.mjs";
import { growthLine, judgeGrowth, SHARP_MINUTES } from "./lib/soak/verdict.mjs";
import { EIGHT, Watcher } from "./lib/soak/watcher.mjs";
import { openTestHouse } from "./lib/test-house.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
const PASSWORD = "curtain up at eight";
const SCRAPER = "soak-scraper";
/** Those who come and go by turns, and how often one of them signs in at most. */
const GUESTS = 4;
const COMES_EVERY_S = 3;
/** Sign-ins of one person in a run; a little more is slowed down (crates/accounts/src/throttle.rs). */
const VISITS_EACH = 100;
/** The house rests when its descriptors and tasks were the same for so long. */
const STILL_S = 1.2;
const REST_AT_MOST_S = 20;
/** Fewer looks tell nothing, and a run that tells nothing has not passed. */
const FEWEST_LOOKS = 8;
/** Looks of the control; the first is taken before anything is left open. */
const CONTROL_LOOKS = 49;

await main(async () => {
  const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" }, runtime: { type: "string" }, debug: { type: "boolean", default: false }, out: { type: "string" } } });
  const minutes = Number(values.minutes);
  if (!(minutes >= 2)) throw new Refusal("--minutes is at least 2: below that nothing can be told");
  if (values.runtime && !["docker", "process"].includes(values.runtime)) throw new Refusal("--runtime is docker or process");
  if (process.env.LOGE_SERVER) return run(process.env, values, minutes); // programs that are built already
  ensureToolchain();
  await ensurePackages(["build", "media", "docker", "test"]);
  await ensureNodeModules();
  await buildUi();
  const release = !values.debug;
  const house = await openTestHouse({ ...(await buildSandboxed({ release })), ...(await buildServer({ release })) });
  try {
    return await run(house.env, values, minutes);
  } finally {
    await house.close();
  }
});

async function run(env, values, minutes) {
  Object.assign(process.env, env, { LOGE_METRICS_TOKEN: SCRAPER });
  const hasDocker = Boolean(env.DOCKER_HOST && env.LOGE_WORKER_IMAGE);
  const runtime = values.runtime ?? (hasDocker ? "docker" : "process");
  if (runtime === "docker" && !hasDocker) throw new Refusal("there is no container engine that can run containers here; try --runtime process");
  const films = soakFilms();
  const before = heat();
  const house = await openHouse(runtime);
  try {
    const found = await soak(house, films, { minutes, runtime });
    const growth = judgeGrowth(found.samples, { minutes });
    const control = judgeGrowth(found.control, { minutes: 0 }).find(({ key }) => key === "serverDescriptors");
    const out = resolve(values.out ?? join(targetDir, "soak", runtime));
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, "soak.json"), JSON.stringify({ at: new Date().toISOString(), runtime, minutes, ...found, growth, controlRow: control }, null, 1));
    tell({ found, growth, control, minutes, before });
    say(`report: ${join(out, "soak.json")}`);
    const failed = [
      ...growth.filter(({ verdict }) => verdict === "broken").map(({ name }) => `${name} grows`),
      ...(found.failures.length ? [`${found.failures.length} failures`] : []),
      ...(found.samples.length < FEWEST_LOOKS ? [`only ${found.samples.length} looks`] : []),
      ...(control.verdict === "broken" ? [] : ["the control did not see descriptors that were left open"]),
    ];
    if (failed.length > 0) say(`FAILED: ${failed.join("; ")}`);
    return failed.length > 0 ? 1 : 0;
  } finally {
    await house.close();
    rmSync(films.folder, { recursive: true, force: true });
  }
}

function tell({ found, growth, control, minutes, before }) {
  const lookedS = found.samples.length > 1 ? found.samples.at(-1).at - found.samples[0].at : 0;
  heading(`growth at rest: ${found.samples.length} looks in ${(lookedS / 60).toFixed(1)} minutes, after ${(found.warmUpS / 60).toFixed(1)} minutes of warm-up`);
  say(minutes >= SHARP_MINUTES
    ? "broken: growth is certain (99 of 100), and the slope lies above the limit"
    : `broken: the lower end of the interval (99 of 100) lies above the limit by more than one step explains; runs of ${SHARP_MINUTES} minutes and more judge the slope itself`);
  for (const row of growth) say(growthLine(row));
  say(`most while people watched: ${(found.peak.rss / 1e6).toFixed(0)} MB and ${found.peak.descriptors} descriptors of the server`);
  say(`the control, one more connection left open at each look: ${growthLine(control)}`);
  for (const line of found.done) say(line);
  for (const line of heatLines(before, heat())) say(line);
  for (const failure of new Set(found.failures)) say(`failure: ${failure}`);
}

async function soak(house, films, { minutes, runtime }) {
  const began = Date.now();
  const { owner, library, watchers, guests, titles } = await moveIn(house, films);
  say(`the house is ready after ${took(began)}`);
  const look = looker(house, owner, runtime);
  const peak = { rss: 0, descriptors: 0 };
  const watching = setInterval(() => {
    const { serverRss, serverDescriptors } = look.glance();
    peak.rss = Math.max(peak.rss, serverRss);
    peak.descriptors = Math.max(peak.descriptors, serverDescriptors);
  }, 1000);

  heading(`${EIGHT.length} viewers of all kinds for ${minutes} minutes, ${runtime}`);
  const start = nowS();
  const end = start + minutes * 60;
  // A third of a short run, five minutes of a long one.
  const warmUpS = Math.min(300, minutes * 20);
  const roundS = Math.min(45, Math.max(8, minutes * 2.5));
  const everyS = Math.max(COMES_EVERY_S, (minutes * 60) / (GUESTS * VISITS_EACH));
  const samples = [];
  const scans = { done: 0, guest: false };
  let [rounds, restless] = [0, 0];
  try {
    while (nowS() < end) {
      const until = Math.min(end, nowS() + roundS);
      await Promise.all([
        ...watchers.map((watcher) => watcher.watch(titles[watcher.film], until)),
        comeAndGo(guests, everyS, until),
        scanAgain(owner, library, films, scans),
      ]);
      for (const person of [...watchers, ...guests]) person.hangUp();
      const { still, sample } = await rest(owner, look, watchers.length);
      rounds += 1;
      if (!still) restless += 1;
      if (nowS() - start >= warmUpS) samples.push({ at: nowS() - start, ...sample });
    }
  } finally {
    clearInterval(watching);
  }
  const people = [...watchers, ...guests];
  const filmMinutes = watchers.reduce((sum, { filmS }) => sum + filmS, 0) / 60;
  const done = [
    `${rounds} rounds: ${watchers.reduce((sum, { plays }) => sum + plays, 0)} plays, ${filmMinutes.toFixed(0)} minutes of film, ${(people.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(0)} MB, ${guests.reduce((sum, { visits }) => sum + visits, 0)} sign-ins and sign-outs, ${scans.done} scans, ${watchers.reduce((sum, { told }) => sum + told, 0)} pieces of events`,
    ...watchers.map(({ way, rate, plays, filmS }) => `  ${way}: ${plays} plays, ${(filmS / 60).toFixed(1)} minutes of film (at ${rate} times its speed where it comes that fast)`),
  ];
  if (restless > 0) done.push(`${restless} times something still changed after ${REST_AT_MOST_S} s of rest`);
  const idle = watchers.filter(({ plays, failures }) => plays === 0 && failures.length === 0).map(({ way }) => `${way}: nothing was played`);
  const control = await leaveOpen(watchers, look);
  return { warmUpS, samples, control, peak, done, failures: [...people.flatMap(({ failures }) => failures), ...idle] };
}

/** A house with an owner, a library, its eight viewers with containers that run, and those who come and go. */
async function moveIn(house, films) {
  const claimed = await fetch(`${house.url}/api/v1/setup`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code: house.setupCode, server_name: "Soak", username: OWNER.name, password: OWNER.password }) });
  if (claimed.status !== 201) throw new Error(`setup: ${claimed.status} ${await claimed.text()}`);
  const owner = new Person({ url: house.url, ...OWNER });
  // Little room for kept segments, so that they are made, kept and thrown away all the time.
  await owner.call("PATCH", "/admin/settings", { max_viewers: EIGHT.length + 2, allow_reduced_isolation: process.env.LOGE_TEST_ALLOW_REDUCED === "1", cache_each_bytes: 4 << 20, cache_total_bytes: 16 << 20 });
  const library = await owner.call("POST", "/libraries", { name: "Films", kind: "movies", folders: [films.library] });
  await eventually("the scan", () => jobsAreDone(owner));
  const { items } = await owner.call("GET", "/titles");
  const titles = Object.fromEntries(items.map((title) => [title.name, title]));

  const prepared = titles["High Water"];
  await owner.call("POST", `/titles/${prepared.id}/prepare`, { quality: "480p" });
  await eventually("the prepared version", async () => {
    const [item] = (await owner.call("GET", "/admin/renditions")).items;
    if (item?.state === "failed") throw new Error(`the version was not made: ${item.reason}`);
    return item?.state === "done";
  }, 180_000);
  await eventually("the small pictures", async () => (await owner.get(`/api/v1/titles/${titles["Long Wave"].id}/storyboard.vtt`, { headers: owner.headers(), expect: null })).status === 200, 180_000);

  const invite = async (Kind, name, more) => {
    const made = await owner.call("POST", "/admin/users", { username: name, password: PASSWORD, role: "viewer" });
    await owner.call("PUT", `/admin/users/${made.id}/grants`, { libraries: [library.id] });
    return Object.assign(new Kind({ url: house.url, name, password: PASSWORD, ...more }), { id: made.id });
  };
  const watchers = [];
  for (const [n, part] of EIGHT.entries()) watchers.push(await invite(Watcher, `Viewer ${n + 1}`, { part, seed: n + 1 }));
  const guests = [];
  for (let n = 1; n <= GUESTS; n++) guests.push(Object.assign(await invite(Person, `Guest ${n}`, {}), { visits: 0 }));
  for (const watcher of watchers) await watcher.call("GET", "/me");
  return { owner, library, watchers, guests, titles };
}

async function jobsAreDone(owner) {
  const { items } = await owner.call("GET", "/admin/jobs");
  return items.length > 0 && items.every(({ state }) => ["done", "failed", "cancelled"].includes(state));
}

/** Sign in, look around, sign out: whoever did so least often is next, until `untilS`. */
async function comeAndGo(guests, everyS, untilS) {
  while (nowS() + everyS < untilS) {
    const guest = guests.reduce((least, one) => (one.visits < least.visits ? one : least));
    try {
      await guest.signIn();
      await guest.call("GET", "/me");
      await guest.call("GET", "/titles");
      await guest.signOut();
      guest.visits += 1;
    } catch (error) {
      guest.failures.push(`${guest.name}: ${error.message}`);
    }
    await sleep(everyS * 1000);
  }
}

/** A film comes into the library, or leaves it, and the library is scanned. */
async function scanAgain(owner, library, films, scans) {
  const path = join(films.library, GUEST);
  scans.guest = !scans.guest;
  if (scans.guest) copyFileSync(films.guest, path);
  else rmSync(path);
  await owner.call("POST", `/libraries/${library.id}/scan`);
  await eventually("the scan", () => jobsAreDone(owner));
  scans.done += 1;
}

/** Looks at the house of this run. */
function looker(house, owner, runtime) {
  const pid = house.child.pid;
  const metrics = async () => String(await owner.get("/metrics", { headers: { authorization: `Bearer ${SCRAPER}` }, keep: true, counts: false }));
  const loges = async () => (await owner.call("GET", "/admin/containers")).items.filter(({ state }) => state !== "absent");
  const containers = async () => (runtime === "docker" ? firstProcesses(socketOf(process.env.DOCKER_HOST), (await loges()).filter(({ state }) => state === "ready")) : []);
  const at = (words, containers) => lookAtHouse({ pid, data: house.data, temporary: process.env.TMPDIR ?? tmpdir(), containers, metrics: words });
  return {
    loges,
    whole: async () => at(await metrics(), await containers()),
    glance: () => at("", []),
  };
}

/** Waits until nothing changes any more; answers whether it came to that, and a look at the house. */
async function rest(owner, look, viewers) {
  const until = nowS() + REST_AT_MOST_S;
  // The guests' containers go; those of the viewers, the owner and the house itself stay.
  const isAlone = async () => (await look.loges()).length <= viewers + 2 && (await jobsAreDone(owner));
  while (!(await isAlone()) && nowS() < until) await sleep(100);
  const same = (a, b) => ["serverDescriptors", "serverTasks", "loges", "logeDescriptors"].every((key) => a[key] === b[key]);
  let [last, since] = [await look.whole(), nowS()];
  while (nowS() - since < STILL_S && nowS() < until) {
    await sleep(200);
    const next = await look.whole();
    if (!same(last, next)) since = nowS();
    last = next;
  }
  return { still: nowS() - since >= STILL_S, sample: last };
}

/** The control: connections that stay open, one more at each look. */
async function leaveOpen(watchers, look) {
  const samples = [];
  const open = [];
  const began = nowS();
  try {
    for (let n = 0; n < CONTROL_LOOKS; n++) {
      samples.push({ at: nowS() - began, ...(await look.whole()) });
      open.push(await watchers[n % watchers.length].listen());
    }
  } finally {
    for (const listening of open) listening.destroy();
  }
  return samples;
}

/** A library of its own that can change, and the film that comes and goes. */
function soakFilms() {
  const made = filmFolder(`soak-films-${EDITION}`, EDITION, "soak", makeFilms);
  const folder = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "films-"));
  chmodSync(folder, 0o755);
  const library = join(folder, "library");
  const copied = spawnSync("cp", ["-a", "--reflink=auto", made, library]);
  if (copied.status !== 0) throw new Refusal("the films of the soak could not be copied");
  const guest = join(folder, GUEST);
  copyFileSync(join(library, GUEST), guest);
  rmSync(join(library, GUEST));
  return { folder, library, guest };
}
