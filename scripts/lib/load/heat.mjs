// How warm the machine is and whether that holds it back, where it says so.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const read = (path) => {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return null;
  }
};
const list = (path, pattern) => {
  try {
    return readdirSync(path).filter((name) => pattern.test(name)).map((name) => join(path, name));
  } catch {
    return [];
  }
};
const numbers = (paths) => paths.map(read).filter((text) => text !== null && /^-?\d+$/.test(text)).map(Number);

/**
 * `{ celsius, zone, throttled, mhz: { slowest, fastest, rated } }`; each is null where this machine does
 * not tell it. `throttled` counts since the machine started. `root` is the place of sysfs.
 */
export function heat(root = "/sys") {
  const zones = list(join(root, "class/thermal"), /^thermal_zone\d+$/)
    .map((path) => ({ zone: read(join(path, "type")) ?? "unnamed", celsius: Number(read(join(path, "temp")) ?? Number.NaN) / 1000 }))
    // Broken sensors say nothing, 0, or what no machine survives.
    .filter(({ celsius }) => celsius > 0 && celsius < 150);
  const hottest = zones.sort((a, b) => b.celsius - a.celsius)[0] ?? { zone: null, celsius: null };
  const cores = list(join(root, "devices/system/cpu"), /^cpu\d+$/);
  const counts = numbers(cores.map((core) => join(core, "thermal_throttle/core_throttle_count")));
  // All cores of a package tell the same count.
  const whole = numbers(cores.map((core) => join(core, "thermal_throttle/package_throttle_count")));
  const speeds = numbers(cores.map((core) => join(core, "cpufreq/scaling_cur_freq")));
  const rated = numbers(cores.map((core) => join(core, "cpufreq/cpuinfo_max_freq")));
  return {
    celsius: hottest.celsius,
    zone: hottest.zone,
    throttled: counts.length + whole.length > 0 ? counts.reduce((sum, count) => sum + count, 0) + Math.max(0, ...whole) : null,
    mhz: speeds.length > 0 ? { slowest: Math.min(...speeds) / 1000, fastest: Math.max(...speeds) / 1000, rated: rated.length > 0 ? Math.max(...rated) / 1000 : null } : null,
  };
}

const UNTOLD = "not told by this machine";

/** What is said of it, in lines. `during`: what was seen between the two. */
export function heatLines(before, after, during = []) {
  const all = [before, ...during, after];
  const degrees = all.map(({ celsius }) => celsius).filter((celsius) => celsius !== null);
  const speeds = all.map(({ mhz }) => mhz).filter(Boolean);
  const throttled = before.throttled === null || after.throttled === null ? null : after.throttled - before.throttled;
  const mhz = (value) => value.toFixed(0);
  return [
    `temperature: ${degrees.length ? `${before.celsius?.toFixed(0) ?? "?"} °C before, ${Math.max(...degrees).toFixed(0)} °C at most (${after.zone ?? before.zone})` : UNTOLD}`,
    `throttling by heat: ${throttled === null ? UNTOLD : throttled === 0 ? "none" : `${throttled} times`}`,
    `speed of the cores: ${speeds.length ? `${mhz(Math.min(...speeds.map(({ slowest }) => slowest)))} to ${mhz(Math.max(...speeds.map(({ fastest }) => fastest)))} MHz${speeds[0].rated ? ` of ${mhz(speeds[0].rated)}` : ""}` : UNTOLD}`,
  ];
}
