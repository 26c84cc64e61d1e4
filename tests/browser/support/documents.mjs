// What the documents promise and a machine can look up: links, headings, scripts, verbs and flags.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** The documents that people read, as paths below `root`. */
export function documents(root) {
  const below = readdirSync(join(root, "docs"), { recursive: true }).filter((name) => name.endsWith(".md"));
  return ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...below.map((name) => join("docs", name)).sort()];
}

const FENCE = /^( *)```(\w*)\n(.*?)^\1```$/gms;
const SPAN = /`([^`\n]+)`/g;
const withoutFences = (text) => text.replace(FENCE, "");

/** Links of a document that lead nowhere. */
export function deadLinks(root, path, text) {
  const prose = withoutFences(text).replace(SPAN, "");
  const targets = [...prose.matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|\b(?:src|href)="([^"]+)"/gm)].map((found) => found[1] ?? found[2] ?? found[3]);
  return targets.filter((target) => !/^[a-z]+:/i.test(target)).flatMap((target) => {
    const [file, anchor] = target.split("#").map(decodeURIComponent);
    const there = file ? resolve(root, dirname(path), file) : resolve(root, path);
    if (relative(root, there).startsWith("..") || (file && !existsSync(there))) return [`${path}: ${target} is not there`];
    if (anchor === undefined || !there.endsWith(".md")) return [];
    const headings = anchors(file ? readFileSync(there, "utf8") : text);
    return headings.has(anchor) ? [] : [`${path}: ${target} has no such heading`];
  });
}

/** The names under which headings can be linked to, as GitHub makes them. */
export function anchors(text) {
  const names = new Set();
  for (const [, heading] of withoutFences(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const shown = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const name = shown.toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, "").replaceAll(" ", "-");
    let unique = name;
    for (let n = 1; names.has(unique); n += 1) unique = `${name}-${n}`;
    names.add(unique);
  }
  return names;
}

/**
 * Commands of a document that do not exist. `help(verbs)` answers what `loge-server VERBS --help`
 * prints, or null when there is no such verb.
 */
export function deadCommands(root, path, text, help) {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const wrong = (what) => `${path}: ${what}`;
  return commands(text).flatMap(({ line, isSynopsis }) => {
    const faults = [];
    for (const [command, run, name, flags] of line.matchAll(/\bnpm (run )?([\w:-]+)((?: +--(?: +[^\s|#]+)*)?)/g)) {
      if (!run && !["start", "test"].includes(name)) continue;
      const script = scripts[name];
      if (!script) faults.push(wrong(`${command}: no such script`));
      else faults.push(...unknownOptions(root, script, flags).map((flag) => wrong(`${command}: no such option, ${flag}`)));
    }
    for (const [file] of line.matchAll(/(?<![\w./-])(?:scripts|benches)\/[\w./-]+/g)) {
      if (!existsSync(join(root, file.replace(/\.$/, "")))) faults.push(wrong(`${file} is not there`));
    }
    for (const [, told] of line.matchAll(/(?<![\w./-])loge-server(?![\w./-])([^#]*)/g)) {
      // In a synopsis a bar stands between verbs; in a shell it leads to another program.
      const [words] = told.split(/ {3,}/);
      const ways = isSynopsis ? words.split(" | ") : [words.split("|")[0]];
      faults.push(...ways.flatMap((way) => unknownVerb(way.trim(), help)).map(wrong));
    }
    return faults;
  });
}

/** Code of a document, line by line, with whether it is a synopsis and not what a shell would take. */
function commands(text) {
  const fenced = [...text.matchAll(FENCE)].flatMap(([, , language, code]) => code.split("\n").map((line) => ({ line, isSynopsis: language === "" })));
  const spans = [...withoutFences(text).matchAll(SPAN)].map(([, line]) => ({ line, isSynopsis: true }));
  return [...fenced, ...spans];
}

/** Options that the script's own file does not read. */
function unknownOptions(root, script, flags) {
  const [, file] = /^node (\S+)/.exec(script) ?? [];
  if (!file) return [];
  const source = readFileSync(join(root, file), "utf8");
  return [...flags.matchAll(/--([a-z][\w-]*)/g)].map(([, name]) => name).filter((name) => !new RegExp(`["\\s{]${name}"?: \\{`).test(source));
}

function unknownVerb(way, help) {
  const words = way.split(/\s+/).filter(Boolean);
  const verbs = [];
  for (const word of words) {
    if (!/^[a-z][a-z-]*$/.test(word)) break;
    // What follows a verb without verbs of its own is a value.
    if (verbs.length > 0 && !help(verbs).includes("\nCommands:")) break;
    verbs.push(word);
    if (help(verbs) === null) return [`loge-server ${verbs.join(" ")}: no such verb`];
  }
  const known = help(verbs);
  const flags = words.flatMap((word) => /^\[?(--[a-z][a-z-]*)/.exec(word)?.[1] ?? []);
  return flags.filter((flag) => !new RegExp(`${flag}(?![\\w-])`).test(known)).map((flag) => `loge-server ${verbs.join(" ")}: no such flag, ${flag}`);
}
