// The worker's container image, made on this machine without any registry: ffmpeg and ffprobe
// with exactly the libraries they link to, the VA-API drivers that are installed, plus our static
// worker and loge-frames, which links to some of the same. No shell, no package manager, no setuid file. deploy/worker/README.md has the
// reasons and the figures.
//
//   node scripts/worker-image.mjs --worker PATH [--frames PATH] [--host unix://…]     prints the image's name
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findEngine } from "./engine.mjs";
import { call, socketOf } from "./lib/docker-api.mjs";
import { cacheDir, root } from "./lib/paths.mjs";
import { mustCapture, which } from "./lib/run.mjs";
import { main, Refusal, say, took } from "./lib/say.mjs";

const REPOSITORY = "loge-worker";
/** The sandbox's user inside the image. Loges may run as others; the name is for people who look. */
const USER = 20001;
/** A change here makes a new base, whatever the libraries say. */
const RECIPE = "5";
const multiarch = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[process.arch] ?? "";

/**
 * Makes sure that the engine has the image of these programs. Answers its full name. Without
 * `frames` the worker takes pictures with ffmpeg.
 */
export async function ensureWorkerImage({ socket, worker, frames }) {
  const own = { "loge-worker": worker, ...(frames && { "usr/bin/loge-frames": frames }) };
  const base = ensureBase(frames);
  const version = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
  const content = createHash("sha256").update(base.hash);
  for (const [place, path] of Object.entries(own)) content.update(place).update(readFileSync(path));
  const hash = content.digest("hex").slice(0, 12);
  const name = `${REPOSITORY}:${version}-${hash}`;
  const found = await call(socket, "GET", `/images/${encodeURIComponent(name)}/json`);
  if (found.status === 404) {
    const since = Date.now();
    await importImage({ socket, base: base.tar, own, tag: `${version}-${hash}` });
    say(`container image ${name} made in ${took(since)}`);
  } else if (found.status !== 200) {
    throw new Refusal(`the engine answered ${found.status} when asked for ${name}: ${found.body.trim()}`);
  }
  const tagged = await call(socket, "POST", `/images/${encodeURIComponent(name)}/tag?repo=${REPOSITORY}&tag=latest&force=1`);
  if (tagged.status !== 201) throw new Refusal(`the image could not be tagged: ${tagged.body.trim()}`);
  await dropOldImages(socket, name);
  return name;
}

/** The part that changes only with the system's ffmpeg, kept as a tar in the cache. */
function ensureBase(frames) {
  const programs = ["ffmpeg", "ffprobe"].map((name) => {
    const path = which(name);
    if (!path) throw new Refusal(`the worker image needs ${name} (package: ffmpeg)`);
    return realpathSync(path);
  });
  const drivers = chipDrivers();
  const { loader, libraries } = closure([...programs, ...(frames ? [frames] : []), ...drivers]);
  const hash = createHash("sha256").update(RECIPE);
  for (const path of [...programs, ...drivers, loader, ...libraries]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  const digest = hash.digest("hex").slice(0, 16);
  const tar = join(cacheDir, `image-base-${digest}.tar`);
  if (!existsSync(tar)) packBase({ programs, drivers, loader, libraries, tar });
  return { tar, hash: digest };
}

/** Drivers for live encodes by a graphics chip, where they are installed: libva loads them by name when it is asked to. */
const DRIVER = /^(i965|iHD)_drv_video\.so$/;
export function chipDrivers(folder = join("/usr/lib", multiarch, "dri")) {
  if (!multiarch || !existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => DRIVER.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** What the dynamic linker would load for these programs: their interpreter, and every library by the name it is asked for. */
function closure(programs) {
  const libraries = new Set();
  let loader = null;
  for (const program of programs) {
    for (const line of mustCapture("ldd", [program]).split("\n")) {
      if (line.includes("not found")) throw new Refusal(`${program} is broken: ${line.trim()}`);
      const path = /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1];
      if (!path) continue;
      if (line.includes("=>")) libraries.add(path);
      else loader = path;
    }
  }
  if (!loader) throw new Refusal("ffmpeg has no dynamic linker: a static ffmpeg is not supported here");
  return { loader, libraries: [...libraries].sort() };
}

function packBase({ programs, drivers, loader, libraries, tar }) {
  const since = Date.now();
  mkdirSync(cacheDir, { recursive: true });
  const tree = mkdtempSync(join(tmpdir(), "loge-image-"));
  try {
    // One flat folder that the linker searches by default, so the image needs neither its
    // cache file nor the side folders that some libraries live in.
    const libraryFolder = join("usr/lib", multiarch);
    const put = (from, to, mode) => {
      mkdirSync(join(tree, to, ".."), { recursive: true });
      copyFileSync(realpathSync(from), join(tree, to));
      chmodSync(join(tree, to), mode);
    };
    for (const path of programs) put(path, join("usr/bin", basename(path)), 0o755);
    for (const path of libraries) put(path, join(libraryFolder, basename(path)), 0o644);
    for (const path of drivers) put(path, join(libraryFolder, "dri", basename(path)), 0o644);
    put(loader, loader.slice(1), 0o755);
    mkdirSync(join(tree, "etc"));
    writeFileSync(join(tree, "etc/passwd"), `root:x:0:0::/:/nonexistent\nloge:x:${USER}:${USER}::/work:/nonexistent\n`);
    writeFileSync(join(tree, "etc/group"), `root:x:0:\nloge:x:${USER}:\n`);
    // The engine makes the other mount points when it makes the container.
    for (const folder of ["work", "proc", "sys", "dev"]) mkdirSync(join(tree, folder), { recursive: true });
    const part = `${tar}.part`;
    mustCapture("tar", ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=u+rwX,go+rX,go-w", "-C", tree, "-cf", part, "."]);
    checkContents(part);
    renameSync(part, tar);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
  say(`base of the container image packed in ${took(since)} (${libraries.length} libraries, ${Math.round(statSync(tar).size / (1 << 20))} MiB)`);
}

/** The promise about what is inside, checked on the tar itself: the worker and three programs, no driver but those of live encodes, nothing setuid, nothing that starts others. */
export function checkContents(tar) {
  const allowed = /^\.\/(loge-worker|usr\/bin\/(ffmpeg|ffprobe|loge-frames)|lib(64)?\/(\S+\/)?ld-linux\S*\.so\.\d+|usr\/lib\/\S+|etc\/(passwd|group))$/;
  for (const line of mustCapture("tar", ["--numeric-owner", "-tvf", tar]).trim().split("\n")) {
    const [mode, owner, , , , ...rest] = line.split(/\s+/);
    const path = rest.join(" ");
    if (/[sStT]/.test(mode.slice(1)) || /^[^-d]/.test(mode)) throw new Refusal(`the image would hold a special file: ${line}`);
    if (owner !== "0/0") throw new Refusal(`the image would hold a file of another owner: ${line}`);
    if (mode[0] === "d") continue;
    if (path.includes("/dri/") && !DRIVER.test(basename(path))) throw new Refusal(`the image would hold another driver: ${path}`);
    if (!allowed.test(path)) throw new Refusal(`the image would hold what does not belong there: ${path}`);
    const program = !path.startsWith("./usr/lib/") && !path.startsWith("./etc/");
    if (mode[3] === "x" && !program) throw new Refusal(`the image would hold one program too many: ${path}`);
  }
}

async function importImage({ socket, base, own, tag }) {
  const scratch = mkdtempSync(join(tmpdir(), "loge-image-"));
  try {
    const whole = join(scratch, "image.tar");
    copyFileSync(base, whole);
    for (const [place, path] of Object.entries(own)) {
      mkdirSync(join(scratch, place, ".."), { recursive: true });
      copyFileSync(path, join(scratch, place));
      chmodSync(join(scratch, place), 0o755);
    }
    const places = Object.keys(own).map((place) => `./${place}`);
    mustCapture("tar", ["--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-C", scratch, "-rf", whole, ...places]);
    checkContents(whole);
    const query = new URLSearchParams({ fromSrc: "-", repo: REPOSITORY, tag, message: "made by scripts/worker-image.mjs" });
    for (const change of [`ENTRYPOINT ["/loge-worker"]`, `USER ${USER}:${USER}`, "WORKDIR /work", "ENV PATH=/usr/bin", "LABEL loge.image=worker"]) {
      query.append("changes", change);
    }
    const answer = await call(socket, "POST", `/images/create?${query}`, { body: createReadStream(whole), timeoutMs: 300_000 });
    if (answer.status !== 200 || /"error"/.test(answer.body)) throw new Refusal(`the engine did not take the image: ${answer.body.trim()}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Images of earlier builds, once a day old and used by no container. Each is a few hundred megabytes. */
async function dropOldImages(socket, keep) {
  const listed = await call(socket, "GET", `/images/json?filters=${encodeURIComponent(JSON.stringify({ label: ["loge.image=worker"] }))}`);
  if (listed.status !== 200) return;
  for (const image of JSON.parse(listed.body)) {
    const names = image.RepoTags ?? [];
    if (names.includes(keep) || Date.now() / 1000 - image.Created < 86_400) continue;
    for (const name of names) await call(socket, "DELETE", `/images/${encodeURIComponent(name)}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const { values } = parseArgs({ options: { worker: { type: "string" }, frames: { type: "string" }, host: { type: "string" } } });
    if (!values.worker) throw new Refusal("usage: worker-image.mjs --worker PATH [--frames PATH] [--host unix://…]");
    const engine = values.host ? { socket: socketOf(values.host) } : await findEngine();
    if (!engine.socket) throw new Refusal(`no Docker engine: ${engine.reason ?? "only unix:// is supported"}`);
    console.log(await ensureWorkerImage({ socket: engine.socket, worker: values.worker, frames: values.frames }));
  });
}
