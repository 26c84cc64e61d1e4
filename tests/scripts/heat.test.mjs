// What the load test reads of temperature and throttling, on a made-up machine, and which films it gives to whom.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { castFilms } from "../../scripts/lib/load/casting.mjs";
import { heat, heatLines } from "../../scripts/lib/load/heat.mjs";

function machine(files) {
  const root = mkdtempSync(join(tmpdir(), "loge-heat-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  try {
    return heat(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}
const cpu = (n, what) => `devices/system/cpu/cpu${n}/${what}`;

test("a machine that tells everything is read", () => {
  const found = machine({
    "class/thermal/thermal_zone0/type": "acpitz",
    "class/thermal/thermal_zone0/temp": "27800",
    "class/thermal/thermal_zone1/type": "x86_pkg_temp",
    "class/thermal/thermal_zone1/temp": "71000",
    "class/thermal/thermal_zone2/type": "broken",
    "class/thermal/thermal_zone2/temp": "0",
    [cpu(0, "thermal_throttle/core_throttle_count")]: 3,
    [cpu(1, "thermal_throttle/core_throttle_count")]: 4,
    [cpu(0, "thermal_throttle/package_throttle_count")]: 10,
    [cpu(1, "thermal_throttle/package_throttle_count")]: 10,
    [cpu(0, "cpufreq/scaling_cur_freq")]: 800000,
    [cpu(1, "cpufreq/scaling_cur_freq")]: 3300000,
    [cpu(0, "cpufreq/cpuinfo_max_freq")]: 3600000,
  });
  assert.deepEqual(found, { celsius: 71, zone: "x86_pkg_temp", throttled: 17, mhz: { slowest: 800, fastest: 3300, rated: 3600 } });
  const later = { ...found, celsius: 83, throttled: 19 };
  assert.deepEqual(heatLines(found, later, [{ ...found, celsius: 91 }]), [
    "temperature: 71 °C before, 91 °C at most (x86_pkg_temp)",
    "throttling by heat: 2 times",
    "speed of the cores: 800 to 3300 MHz of 3600",
  ]);
  assert.equal(heatLines(found, found)[1], "throttling by heat: none");
});

test("a machine that tells nothing is said to", () => {
  const found = machine({ "class/thermal/cooling_device0/type": "Processor", "class/thermal/thermal_zone0/temp": "no" });
  assert.deepEqual(found, { celsius: null, zone: null, throttled: null, mhz: null });
  assert.ok(heatLines(found, found).every((line) => line.endsWith("not told by this machine")));
});

const film = (name, playability, more) => ({ name, playability, duration_s: 100, size_bytes: 1e8, missing: false, ...more });

test("films go to viewers by turns, each kind to its half", () => {
  const films = [film("a", "direct"), film("b", "remux"), film("c", "direct"), film("gone", "direct", { missing: true }), film("short", "remux", { duration_s: 5 }), film("d", "needs_preparing")];
  const { parts, bps } = castFilms(films, 5);
  assert.deepEqual(parts.map(({ kind, title }) => [kind, title.name]), [["range", "a"], ["segments", "b"], ["range", "c"], ["segments", "b"], ["range", "a"]]);
  assert.equal(bps, 8e6);
});

test("a folder without films in segments is told, one without films that play as they are is refused", () => {
  const { parts, lines } = castFilms([film("a", "direct")], 3);
  assert.ok(parts.every(({ kind, title }) => kind === "range" && title.name === "a"));
  assert.match(lines[1], /all viewers read with ranges/);
  assert.match(castFilms([film("b", "remux")], 3).refused, /of the 1 films none plays as it is/);
});
