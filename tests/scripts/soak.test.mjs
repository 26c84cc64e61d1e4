// The soak's own judgement: it sees growth where there is some, at the door of a real program as well
// as in numbers, and none where there is none.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { dice } from "../../scripts/lib/load/person.mjs";
import { root } from "../../scripts/lib/paths.mjs";
import { gauge } from "../../scripts/lib/soak/house.mjs";
import { below, held, lookAt } from "../../scripts/lib/soak/look.mjs";
import { slope } from "../../scripts/lib/soak/slope.mjs";
import { growthLine, judgeGrowth, SERIES } from "../../scripts/lib/soak/verdict.mjs";

/** Looks every `everyS` for so many minutes. */
const looks = (minutes, everyS, value) => Array.from({ length: Math.floor((minutes * 60) / everyS) }, (_, n) => ({ at: n * everyS, value: value(n * everyS, n) }));
/** About normal, with the spread of one. */
const noise = (roll) => Array.from({ length: 12 }, roll).reduce((sum, value) => sum + value, -6);

test("a line is found to the digit, and one odd value makes it less sure", () => {
  const line = looks(3, 10, (at) => 100 + at / 360);
  const found = slope(line);
  for (const end of ["perHour", "low", "high"]) assert.ok(Math.abs(found[end] - 10) < 1e-6, end);
  line[7].value += 500;
  assert.ok(slope(line).low < 10 && slope(line).high > 10 && slope(line).low < 0);
});

test("what stands still has no slope, and too few looks have no interval", () => {
  assert.deepEqual(slope(looks(3, 10, () => 7)), { perHour: 0, low: 0, high: 0, points: 18 });
  const few = slope(looks(0.5, 10, (at) => at));
  assert.deepEqual([few.points, few.low, few.high], [3, -Infinity, Infinity]);
  assert.equal(slope([]).low, -Infinity);
  assert.throws(() => slope([], 0.5), RangeError);
});

test("the interval holds what is true as often as it says, with independent noise", () => {
  const roll = dice(5);
  const runs = 400;
  let missed = 0;
  for (let run = 0; run < runs; run++) {
    const { low, high } = slope(looks(3, 10, (at) => (20 / 3600) * at + noise(roll) * 0.3), 0.95);
    if (low > 20 || high < 20) missed += 1;
  }
  assert.ok(missed > 0, "an interval that never misses is too wide to say anything");
  assert.ok(missed <= runs * 0.08, `${missed} of ${runs} missed`);
});

test("the interval is as wide as a table of Student's says", () => {
  // 2, 4, 3, 5, 4, 6, 5, 7 at 0 to 7: slope 4/7 with a standard error of 0.1304 (neighbours that differ widen nothing);
  // six degrees of freedom, 95 of 100: 2.447.
  const { perHour, low, high } = slope([2, 4, 3, 5, 4, 6, 5, 7].map((value, at) => ({ at, value })), 0.95);
  assert.ok(Math.abs(perHour / 3600 - 4 / 7) < 1e-9);
  assert.ok(Math.abs((high - low) / 2 / 3600 - 2.447 * 0.1304) < 0.002, String((high - low) / 7200));
});

test("neighbours that are alike widen it", () => {
  const roll = dice(3);
  let walked = 0;
  const walk = slope(looks(10, 10, () => (walked += noise(roll) * 0.2)));
  const apart = dice(3);
  const free = slope(looks(10, 10, () => noise(apart) * 0.2));
  assert.ok(walk.high - walk.low > 2 * (free.high - free.low));
});

const MB = 1e6;
const quiet = Object.fromEntries(Object.keys(SERIES).map((key) => [key, 10]));
/** The verdicts on a run in which some series are as given and all others stand still. */
const verdicts = (minutes, everyS, change) => {
  const samples = looks(minutes, everyS, (at, n) => change(at, n)).map(({ at, value }) => ({ at, ...quiet, ...value }));
  return Object.fromEntries(judgeGrowth(samples, { minutes }).map(({ key, verdict }) => [key, verdict]));
};

test("three minutes: large leaks are broken, what an allocator keeps is not", () => {
  const roll = dice(1);
  const leak = verdicts(2, 10, (at) => ({ serverRss: 60 * MB + at * 0.1 * MB + noise(roll) * 0.1 * MB }));
  assert.equal(leak.serverRss, "broken");
  assert.equal(verdicts(2, 10, (_, n) => ({ serverDescriptors: 90 + 4 * n })).serverDescriptors, "broken");
  // 0.7 MB in the last steps of a warm-up: thirty times the limit by the hour, and no leak.
  const settles = verdicts(2, 10, (at) => ({ serverRss: (66 - 0.7 * Math.exp(-at / 40)) * MB }));
  assert.equal(settles.serverRss, "not decided");
  assert.equal(verdicts(2, 10, (_, n) => ({ serverDescriptors: 90 + (n > 5 ? 1 : 0) })).serverDescriptors, "not decided");
  // As it was seen with containers: connections that are kept ready, until there are as many as are needed at once.
  const ready = [85, 85, 87, 86, 88, 89, 88, 90, 91, 91, 92, 92];
  assert.equal(verdicts(2, 10, (_, n) => ({ logeDescriptors: ready[n] })).logeDescriptors, "not decided");
  assert.deepEqual(verdicts(2, 10, () => ({})).serverDescriptors, "kept");
});

test("three minutes: no false alarm in three hundred runs that stand still", () => {
  const roll = dice(8);
  for (let run = 0; run < 300; run++) {
    let kept = 0;
    const found = verdicts(2, 10, () => ({ serverRss: 60 * MB + (kept += noise(roll) * 0.3 * MB), serverDescriptors: 90 + Math.round(noise(roll)) }));
    assert.notEqual(found.serverRss, "broken");
    assert.notEqual(found.serverDescriptors, "broken");
  }
});

test("thirty minutes: two megabytes an hour are broken, half a megabyte is not, and descriptors that come again and again are", () => {
  const roll = dice(2);
  const leak = (perHour) => verdicts(25, 50, (at) => ({ serverRss: (60 + (perHour * at) / 3600 + noise(roll) * 0.05) * MB })).serverRss;
  assert.deepEqual([leak(0), leak(0.5), leak(2), leak(20)], ["kept", "kept", "broken", "broken"]);
  assert.notEqual(verdicts(25, 50, (at) => ({ serverDescriptors: 90 + (at > 700 ? 1 : 0) })).serverDescriptors, "broken", "one is not growth");
  assert.equal(verdicts(25, 50, (at) => ({ serverDescriptors: 90 + Math.floor(at / 150) })).serverDescriptors, "broken");
  assert.equal(verdicts(25, 50, (at) => ({ logeDescriptors: 90 + Math.floor(at / 150) })).logeDescriptors, "broken");
});

test("what was not measured keeps no promise, and what has no limit is told", () => {
  const found = judgeGrowth([], { minutes: 30 });
  assert.deepEqual(found.filter(({ limit }) => limit !== null).map(({ verdict }) => verdict), ["broken", "broken", "broken"]);
  assert.match(growthLine(found[0]), /not measured/);
  const grown = verdicts(25, 50, (at) => ({ databaseBytes: at * MB }));
  assert.equal(grown.databaseBytes, "told");
  const [row] = judgeGrowth(looks(25, 50, (at) => at).map(({ at }) => ({ at, ...quiet, serverRss: 60 * MB })), { minutes: 25 });
  assert.equal(growthLine(row), "kept         RSS of the server: 60.00 → 60.00 MB, 0.00 an hour (0.00 to 0.00; at most 1)");
});

/** Looks at a program between its steps, as the soak does between rounds. */
async function watchProgram(bytes, descriptors) {
  const child = spawn(process.execPath, [join(root, "scripts/lib/soak/leak.mjs"), String(bytes), String(descriptors)], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const samples = [];
    for (let n = 0; n < 20; n++) {
      child.stdin.write("\n");
      assert.equal((await answers.next()).done, false);
      const { rss, descriptors } = lookAt(child.pid);
      // One step each ten seconds: what a program leaks is judged, not how fast this one is asked.
      if (n >= 4) samples.push({ at: n * 10, ...quiet, serverRss: rss, serverDescriptors: descriptors });
    }
    return Object.fromEntries(judgeGrowth(samples, { minutes: 3 }).map(({ key, verdict }) => [key, verdict]));
  } finally {
    child.stdin.end();
    await new Promise((resolve) => child.once("exit", resolve));
  }
}

test("the control: a program that leaks is found out by the same looks and the same judgement", async () => {
  const memory = await watchProgram(2 << 20, 0);
  assert.deepEqual([memory.serverRss, memory.serverDescriptors], ["broken", "kept"]);
  const descriptors = await watchProgram(0, 3);
  assert.equal(descriptors.serverDescriptors, "broken");
  assert.notEqual(descriptors.serverRss, "broken");
  const sound = await watchProgram(0, 0);
  assert.equal(sound.serverDescriptors, "kept");
  assert.notEqual(sound.serverRss, "broken");
});

test("a look finds what a program started, and what lies in a folder", async () => {
  const child = spawn("sh", ["-c", "sleep 60 & wait"], { stdio: "ignore" });
  const dir = mkdtempSync(join(tmpdir(), "loge-soak-"));
  try {
    let children;
    for (const until = Date.now() + 20_000; (children = below([child.pid])).size === 0 && Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 20));
    const [[pid, about]] = children;
    assert.ok(about.parent === child.pid && about.threads === 1 && about.rss > 0 && about.descriptors > 0);
    process.kill(pid);
    mkdirSync(join(dir, "run"));
    writeFileSync(join(dir, "run/a"), "12345");
    writeFileSync(join(dir, "b.part"), "1");
    assert.deepEqual([held(dir), held(dir, (path) => path.startsWith("run/")), held(join(dir, "nowhere"))], [{ files: 2, bytes: 6 }, { files: 1, bytes: 5 }, { files: 0, bytes: 0 }]);
  } finally {
    child.kill();
    rmSync(dir, { recursive: true });
  }
  assert.equal(lookAt(2 ** 22 + 1), null);
  assert.deepEqual([gauge("# HELP a\na 5\nab 6\n", "a"), gauge("a 5\n", "b")], [5, Number.NaN]);
});
