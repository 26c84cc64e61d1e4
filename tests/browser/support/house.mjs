// A real house for browser tests: the real server on a free port, with films of its own.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

/** Runtimes this machine can test; docker wants an engine and an image, which `npm test` provides. */
export const runtimes =
  process.env.DOCKER_HOST && process.env.LOGE_WORKER_IMAGE ? ["docker", "process"] : ["process"];

const need = (name) => process.env[name] ?? assertSet(name);
function assertSet(name) {
  throw new Error(`${name} is not set; run these tests with: npm test -- --only browser`);
}

/** Waits for a condition; `what` is its name, or gives it. The patience is for slow machines, never part of what is tested. */
export async function eventually(what, look, patience = 60_000) {
  const until = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > until) throw new Error(`waited in vain for ${typeof what === "function" ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Opens a house; `stop` and `start` take it away for a while, `close` stops it and proves that nothing is left. */
export async function openHouse(runtime) {
  const data = mkdtempSync(join(tmpdir(), "loge-b-"));
  const env = { ...process.env, LOGE_LOG: process.env.LOGE_TEST_LOG ?? "warn" };
  delete env.XDG_RUNTIME_DIR;
  const house = { data, child: null, url: null, setupCode: null };
  let ended;
  house.start = async () => {
    const again = house.url !== null;
    const listen = again ? new URL(house.url).host : "127.0.0.1:0";
    house.child = spawn(need("LOGE_SERVER"), ["serve", "--listen", listen, "--runtime", runtime, "--data-dir", data], {
      cwd: data,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    ended = new Promise((resolve) => house.child.once("exit", (code, signal) => resolve(signal ?? code)));
    const lines = createInterface({ input: house.child.stdout });
    await new Promise((resolve, reject) => {
      ended.then((code) => reject(new Error(`the house closed with ${code} while opening`)));
      lines.on("line", (line) => {
        if (line.startsWith("listening on ")) {
          house.url = line.slice("listening on ".length);
          // A house that has an owner by now prints no setup code.
          if (again) resolve();
        }
        if (line.startsWith("setup code: ")) {
          house.setupCode = line.slice("setup code: ".length);
          resolve();
        }
      });
    });
  };
  house.stop = async () => {
    house.child.kill("SIGTERM");
    const code = await ended;
    if (code !== 0) throw new Error(`the house ended with ${code}`);
  };
  house.close = async () => {
    let failure = null;
    await house.stop().catch((error) => (failure = error));
    const left = processesAbout(data);
    const run = existsSync(join(data, "run"));
    rmSync(data, { recursive: true, force: true });
    if (failure) throw failure;
    if (left.length > 0) throw new Error(`processes left behind: ${left.join(", ")}`);
    if (run) throw new Error("the run folder was left behind");
  };
  await house.start();
  return house;
}

/** Programs that read films for somebody in this house, as the kernel tells it. */
export async function headsOf(owner) {
  const { json } = await owner("GET", "/admin/containers");
  const ids = json.items.map((one) => one.container_id).filter(Boolean);
  const firsts = ids.map((id) => /^process-.*-(\d+)$/.exec(id)?.[1]).filter(Boolean);
  const read = (pid, file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "latin1").replaceAll("\0", " ");
    } catch {
      return ""; // it ended while we looked
    }
  };
  const parent = (pid) => /^PPid:\s+(\d+)/m.exec(read(pid, "status"))?.[1];
  const isBelow = (pid) => {
    for (let at = pid; at && at !== "0" && at !== "1"; at = parent(at)) if (firsts.includes(at)) return true;
    return false;
  };
  return readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && /ffmpeg .*frag_keyframe/.test(read(pid, "cmdline")) && (isBelow(pid) || ids.some((id) => read(pid, "cgroup").includes(id))),
  );
}

function processesAbout(data) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "latin1").includes(data));
      } catch {
        return false; // it ended while we looked
      }
    });
}

/** A folder with films every browser plays, one that none takes in that wrapping, and one that none plays at all; subtitles in one and beside another. */
export function makeFilms() {
  const root = mkdtempSync(join(tmpdir(), "loge-bf-"));
  const films = join(root, "films");
  const hidden = join(root, "private");
  const shows = join(root, "shows");
  for (const folder of [films, hidden, shows]) mkdirSync(folder);
  for (const folder of [root, films, hidden, shows]) chmodSync(folder, 0o755);
  // A line for every second, as old Windows wrote it.
  const lines = (say) => {
    const at = (s, ms) => `00:${String(Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")},${ms}`;
    return Buffer.from(Array.from({ length: 90 }, (_, s) => `${s + 1}\r\n${at(s, "000")} --> ${at(s, "900")}\r\n${say(s)}\r\n\r\n`).join(""), "latin1");
  };
  const words = join(root, "words.srt");
  writeFileSync(words, lines((s) => `Zeile <i>${s}</i>`));
  writeFileSync(join(films, "The Lantern Room (2021).en.srt"), lines((s) => `Caf\u00e9 ${s} <script>alert(1)</script>`));
  const make = (path, seconds, codecs) => {
    const done = spawnSync(
      "ffmpeg",
      ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=960x540:r=24", "-f", "lavfi", "-i", "sine=frequency=220", "-i", words, "-t", String(seconds), ...codecs.split(" "), path],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    if (done.status !== 0) throw new Error(`ffmpeg could not make ${path}`);
  };
  make(join(films, "The Lantern Room (2021).mp4"), 90, "-sn -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 24 -c:a aac -movflags +faststart");
  make(join(films, "Night Ferry (2019).webm"), 10, "-sn -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 600k -c:a libopus");
  make(join(films, "Old Reel (1998).avi"), 5, "-sn -s 1920x1080 -c:v mpeg4 -q:v 5 -c:a libmp3lame");
  // Two sounds no browser decodes; key frames where no grid would put them.
  make(join(films, "Moss and Mirrors (2016).mkv"), 90, "-map 0:v -map 1:a -map 1:a -map 2:s -c:s srt -metadata:s:s:0 language=ger -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 70 -bf 2 -c:a ac3 -metadata:s:a:0 language=ger -metadata:s:a:1 language=eng");
  make(join(hidden, "Secret Garden (2020).mp4"), 5, "-sn -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac");
  // Two parts of a series; the first one says where its beginning titles are.
  const chapters = join(root, "chapters.txt");
  const part = (start, end, title) => `[CHAPTER]\nTIMEBASE=1/1\nSTART=${start}\nEND=${end}\ntitle=${title}\n`;
  writeFileSync(chapters, `;FFMETADATA1\n${part(0, 20, "Intro")}${part(20, 70, "The play")}`);
  const small = "-sn -s 320x180 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 24 -c:a aac";
  make(join(shows, "The Understudies S01E01 Half Light.mp4"), 70, `-i ${chapters} -map_metadata 3 -t 70 ${small}`);
  make(join(shows, "The Understudies S01E02 The Prompter.mp4"), 20, small);
  return { root, films, hidden, shows, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** `more`: arguments for a test of its own. */
export function openBrowser(more = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
      ...more,
    ],
  });
}

/** Enters the setup code: the house has an owner from here on. */
export async function claim(house, { name, password }) {
  const answer = await fetch(`${house.url}/api/v1/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: house.setupCode, username: name, password }),
  });
  if (!answer.ok) throw new Error(`setting up: ${answer.status} ${await answer.text()}`);
  // The person who runs the tests may allow a machine to lack walls; the default never does.
  if (process.env.LOGE_TEST_ALLOW_REDUCED === "1") {
    const owner = await signIn(house.url, name, password);
    const { status } = await owner("PATCH", "/admin/settings", { allow_reduced_isolation: true });
    if (status !== 200) throw new Error(`allowing reduced isolation: ${status}`);
  }
}

/** The API as the page's own user, without the page. */
export async function signIn(url, username, password) {
  const answer = await fetch(`${url}/api/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password }),
  });
  if (answer.status !== 200) throw new Error(`sign-in of ${username}: ${answer.status} ${await answer.text()}`);
  const { access_token } = await answer.json();
  return async (method, path, body) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${access_token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, json: text.startsWith("{") ? JSON.parse(text) : null, text };
  };
}
