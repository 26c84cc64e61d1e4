// The load test's own judgement: it sees a stall where one is, and does not excuse what has no excuse.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Screen } from "../../scripts/lib/load/screen.mjs";
import { judge, percentile } from "../../scripts/lib/load/verdicts.mjs";
import { parsePlaylist } from "../../scripts/lib/load/viewer.mjs";

test("a buffer that empties is a stall, one that is filled in time is none", () => {
  const screen = new Screen(100);
  screen.ask("start", 0, 10);
  screen.has(0.2, 10.1);
  assert.equal(screen.state, "waiting");
  screen.has(5, 10.3);
  assert.deepEqual(screen.waits.map(({ kind, seconds }) => [kind, Number(seconds.toFixed(3))]), [["start", 0.3]]);
  screen.tick(15.2);
  screen.has(9, 15.2);
  assert.deepEqual([screen.state, screen.stalls.length], ["playing", 0]);
  screen.tick(20.3);
  assert.equal(screen.state, "stalled");
  screen.has(9.5, 21);
  assert.equal(screen.state, "stalled", "half a second is too little to go on with");
  screen.has(12, 22.3);
  assert.deepEqual(screen.stalls.map((s) => Number(s.toFixed(1))), [2]);
});

test("a seek is no stall, an end is no stall, and a stall that never ends is one", () => {
  const screen = new Screen(20);
  screen.ask("start", 0, 0);
  screen.has(4, 0);
  screen.ask("seek", 15, 2);
  screen.tick(9);
  screen.has(20, 9.5);
  screen.tick(30);
  assert.deepEqual([screen.state, screen.stalls.length, screen.waits[1].seconds], ["ended", 0, 7.5]);
  screen.ask("start", 0, 30);
  screen.has(2, 30);
  screen.tick(33);
  screen.close(35);
  assert.equal(screen.stalls.length, 1);
});

const good = {
  cores: 4,
  build: "release",
  foreignCores: [0.1],
  viewers: 2,
  containers: 2,
  warmStarts: [0.1, 0.2],
  coldStarts: [1],
  stalls: [],
  cpuShare: [0.4],
  memoryBytes: [1e9],
  failures: [],
  totalRate: 1000,
  shares: [480, 510],
};
const broken = (change) => judge({ ...good, ...change }).filter(({ verdict }) => verdict === "broken").map(({ promise }) => promise);

test("greedy neighbours are judged by what they do to somebody else", () => {
  const greedy = { idle: [0.01, 0.01], beside: [0.015, 0.019], stalls: [], ends: 3 };
  assert.deepEqual(broken({ greedy }), []);
  assert.deepEqual(broken({ greedy: { ...greedy, beside: [0.021, 0.03] } }), ["A range beside eight greedy containers, 95 of 100"]);
  assert.deepEqual(broken({ greedy: { ...greedy, beside: [] } }), ["A range beside eight greedy containers, 95 of 100"]);
  assert.deepEqual(broken({ greedy: { ...greedy, stalls: [0.4] } }), ["Stalls beside eight greedy containers"]);
  assert.deepEqual(broken({ greedy: { ...greedy, ends: 0 } }), ["Greedy containers are ended by their own walls"]);
});

test("every promise can be broken", () => {
  assert.deepEqual(broken({}), []);
  for (const [change, promise] of [
    [{ warmStarts: [0.1, 0.9] }, "First picture, warm, 95 of 100"],
    [{ coldStarts: [2.5] }, "First picture, cold container, 95 of 100"],
    [{ coldStarts: [] }, "First picture, cold container, 95 of 100"],
    [{ stalls: [0.2] }, "Stalls"],
    [{ cpuShare: [0.9] }, "CPU of the server and all containers"],
    [{ memoryBytes: [1e9, 7e9] }, "Memory of the server and all containers"],
    [{ containers: 1 }, "A container for everybody"],
    [{ failures: ["x"] }, "Failed requests"],
    [{ shares: [430, 570] }, "Bandwidth of each person"],
  ])
    assert.deepEqual(broken(change), [promise]);
  assert.ok(broken({ shares: [400, 400] }).includes("Bandwidth of all together"));
});

test("a small or busy machine excuses slowness and nothing else", () => {
  for (const excuse of [{ cores: 2 }, { build: "debug" }, { foreignCores: [3] }]) {
    assert.deepEqual(broken({ ...excuse, warmStarts: [3], stalls: [1], cpuShare: [0.9] }), []);
    assert.deepEqual(broken({ ...excuse, shares: [100, 100] }).length, 2);
  }
});

test("percentiles are values that were seen", () => {
  assert.equal(percentile([], 0.95), null);
  assert.equal(percentile([3, 1, 2], 0.95), 3);
  assert.equal(percentile(Array.from({ length: 100 }, (_, n) => n + 1), 0.95), 95);
});

test("a playlist is read to the times at which its segments end", () => {
  const text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4.5,\n0.m4s\n#EXTINF:3,\n1.m4s\n#EXT-X-ENDLIST\n';
  assert.deepEqual(parsePlaylist(text), { init: "init.mp4", segments: [{ path: "0.m4s", end: 4.5 }, { path: "1.m4s", end: 7.5 }] });
});
