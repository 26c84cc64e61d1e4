// The examples of docs/guide/api.md: taken out of the page, and run as a reader would run them.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./house.mjs";

/** How each language of the page is started, given a file. */
const programs = {
  bash: { name: "block.sh", start: ["bash"] },
  python: { name: "block.py", start: ["python3"] },
  js: { name: "block.mjs", start: [process.execPath] },
};
export const languages = Object.keys(programs);

/**
 * `{ prologue, topics }`: `prologue[language]` is what each example begins with, `topics[name]` is
 * `{ blocks: { language: text }, prints }`. Throws on an example that nothing marks: it would never run.
 */
export function readGuide(page) {
  const prologue = {};
  const topics = {};
  let mark = null;
  for (const [, , kind, name, fence, text] of page.matchAll(/(<!-- (run|prints): ([\w-]+) -->)|^```(\w*)\n(.*?)^```$/gms)) {
    if (kind) {
      if (mark) throw new Error(`nothing follows the mark of ${mark.name}`);
      mark = { kind, name };
      continue;
    }
    if (!mark) {
      if (languages.includes(fence)) throw new Error(`an example without a mark: ${text.split("\n")[0]}`);
      continue;
    }
    const topic = mark.name === "prologue" ? null : (topics[mark.name] ??= { blocks: {}, prints: null });
    if (mark.kind === "prints") topic.prints = text;
    else if (!languages.includes(fence)) throw new Error(`${mark.name}: ${fence} is none of ${languages.join(", ")}`);
    else (topic?.blocks ?? prologue)[fence] = text;
    mark = null;
  }
  return { prologue, topics };
}

/** What a page lacks: languages of a topic, or what its examples print. */
export function gaps({ prologue, topics }) {
  const lacks = (name, blocks) => languages.filter((one) => !blocks[one]).map((one) => `${name} in ${one}`);
  return [
    ...lacks("the prologue", prologue),
    ...Object.entries(topics).flatMap(([name, { blocks, prints }]) => [...lacks(name, blocks), ...(prints === null ? [`what ${name} prints`] : [])]),
  ];
}

/** Whether an output is the one that the page shows; `…` stands for anything within a line. */
export function matches(prints, output) {
  const pattern = prints.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join("[^\\n]+")}$`).test(output);
}

/** Runs an example in a folder of its own: `{ code, out, err }`. Waits until nothing that it started runs any more. */
export async function runBlock(guide, language, text, env) {
  const folder = mkdtempSync(join(tmpdir(), "loge-ex-"));
  const { name, start } = programs[language];
  try {
    writeFileSync(join(folder, name), `${guide.prologue[language]}\n${text}`);
    // No proxy stands between this machine and itself.
    const clean = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/proxy|^LOGE_|^NODE_TEST/i.test(key)));
    // A group of its own, so that whatever it started can be found.
    const child = spawn(start[0], [...start.slice(1), join(folder, name)], {
      cwd: folder,
      env: { ...clean, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (data) => (out += data));
    child.stderr.setEncoding("utf8").on("data", (data) => (err += data));
    // Its patience is for slow machines. What still runs then has hung.
    const hung = setTimeout(() => process.kill(-child.pid, "SIGKILL"), 120_000);
    const code = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(signal ?? code));
    });
    clearTimeout(hung);
    await eventually(() => `${groupOf(child.pid).join(", ")} to end with the example`, () => groupOf(child.pid).length === 0);
    return { code, out, err };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What lives of a process group; one that is over and waits to be collected does not. */
function groupOf(pid) {
  return readdirSync("/proc").filter((one) => {
    if (!/^\d+$/.test(one)) return false;
    try {
      const stat = readFileSync(`/proc/${one}/stat`, "latin1");
      const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(group) === pid && state !== "Z";
    } catch {
      return false; // it ended while we looked
    }
  });
}
