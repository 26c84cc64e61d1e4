// What a program and everything it started hold, read from the kernel.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const read = (path) => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null; // it ended
  }
};
const list = (path) => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

/** `{ name, parent, rss, anonymous, threads, descriptors }`, or null when it has ended. */
export function lookAt(pid) {
  const status = read(`/proc/${pid}/status`);
  if (!status) return null;
  const number = (field) => Number(status.match(new RegExp(`^${field}:\\s+(\\d+)`, "m"))?.[1] ?? 0);
  return {
    name: status.match(/^Name:\s+(.+)$/m)[1],
    parent: number("PPid"),
    rss: number("VmRSS") * 1024,
    anonymous: number("RssAnon") * 1024,
    threads: number("Threads"),
    descriptors: list(`/proc/${pid}/fd`).length,
  };
}

/** Everything below some processes, themselves left out, by pid. */
export function below(roots) {
  const all = new Map(list("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => [Number(pid), lookAt(pid)]).filter(([, about]) => about));
  const found = new Set(roots);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [pid, { parent }] of all) if (found.has(parent)) found.add(pid);
  }
  for (const root of roots) found.delete(root);
  return new Map([...found].filter((pid) => all.has(pid)).map((pid) => [pid, all.get(pid)]));
}

/** `{ files, bytes }` below a folder, of those whose path below it `matters`. */
export function held(folder, matters = () => true) {
  let [files, bytes] = [0, 0];
  const walk = (path) => {
    for (const entry of entries(join(folder, path))) {
      const within = join(path, entry.name);
      if (entry.isDirectory()) walk(within);
      else if (matters(within)) {
        files += 1;
        bytes += sizeOf(join(folder, within));
      }
    }
  };
  walk("");
  return { files, bytes };
}

function entries(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function sizeOf(path) {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
