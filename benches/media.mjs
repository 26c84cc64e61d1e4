// Looking at films, measured beside the programs people would use for it: facts of a whole
// library beside ffprobe and mediainfo per file, pictures and storyboards beside ffmpegthumbnailer
// and ffmpeg, the first segment of a film beside ffmpeg's own HLS, and how fast versions are made.
//
// Ours is measured through the real house, database and sandbox included; the others get the
// files directly. All of them find the films in the page cache.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { buildSandboxed, buildServer } from "../scripts/lib/cargo.mjs";
import { mustCapture, which } from "../scripts/lib/run.mjs";
import { Refusal, say, warn } from "../scripts/lib/say.mjs";
import { openTestHouse } from "../scripts/lib/test-house.mjs";
import { cpuSecondsOfAll, framesOfHouse, measured, median, named } from "./cpu.mjs";
import { firstPlay } from "./first-play.mjs";
import { openHouse, until } from "./house.mjs";
import { line } from "./line.mjs";
import { encodeSpeeds } from "./speeds.mjs";
import { storyboards } from "./storyboards.mjs";

/** So many files make the fixed costs of a scan small. */
const SCANNED = 2000;
/** Films of the sample set that were made like most films of today: their headers say everything. */
const USUAL = ["The Lantern Room", "Night Ferry", "Second Curtain", "Northern Lights", "Moss and Mirrors"];
/** Programs that start once per file are measured on fewer. */
const SAMPLE = 60;

/** The parts, by the name that `--only` takes. */
const PARTS = ["segment", "first_play", "scan", "pictures", "storyboards", "encode_speeds"];

export async function benchMedia({ rounds, runtime, json, only }) {
  if (only && !PARTS.includes(only)) throw new Refusal(`--only takes one of: ${PARTS.join(", ")}`);
  const wanted = (part) => !only || only === part;
  const programs = { ...(await buildSandboxed({ release: true })), ...(await buildServer({ release: true })) };
  const tests = await openTestHouse(programs);
  const folder = mkdtempSync(join(tests.env.TMPDIR, "bench-"));
  chmodSync(folder, 0o755);
  const results = {};
  try {
    Object.assign(process.env, tests.env);
    const kind = runtime === "docker" && tests.env.DOCKER_HOST ? "docker" : "process";
    const films = filmsOf(join(tests.env.LOGE_TEST_MEDIA, "films"));
    say(`runtime ${kind}; ${films.length} real films of ${new Set(films.map((f) => extname(f))).size} formats`);
    if (wanted("segment")) results.segment = await firstSegment(folder, kind, rounds);
    if (wanted("first_play")) results.first_play = await firstPlay(folder, kind);
    if (wanted("scan")) {
      // What headers leave open goes to ffprobe, so a library's share of it decides how long a scan takes.
      const usual = films.filter((f) => USUAL.some((name) => f.includes(name)));
      results.scan_usual = await facts(folder, usual, kind, Math.min(rounds, 3), "as today's encoders write mp4, m4v, mov and mkv");
      results.scan_without_avi = await facts(folder, films.filter((f) => extname(f) !== ".avi"), kind, Math.min(rounds, 3), "mp4, m4v, mov, mkv and webm");
      results.scan = await facts(folder, films, kind, Math.min(rounds, 3), "all formats, AVI included");
    }
    if (wanted("pictures")) results.pictures = await pictures(folder, films, kind);
    if (wanted("storyboards")) results.storyboards = await storyboards(folder, kind);
    if (wanted("encode_speeds")) results.encode_speeds = await encodeSpeeds(folder);
    if (json) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await tests.close();
  }
}

const filmsOf = (folder) =>
  readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && statSync(path).size > 0);

/** The same films under many names; links, so that neither disk nor cache is what is measured. */
function manyFilms(folder, films, count) {
  mkdirSync(folder, { mode: 0o755 });
  for (let i = 0; i < count; i++) {
    const film = films[i % films.length];
    linkSync(film, join(folder, `Film ${String(i).padStart(5, "0")}${extname(film)}`));
  }
  return folder;
}

/** Milliseconds per file of a program that is started for each. */
function perFile(program, args, files) {
  const since = process.hrtime.bigint();
  for (const file of files) spawnSync(program, args(file), { stdio: "ignore" });
  return Number(process.hrtime.bigint() - since) / 1e6 / files.length;
}

const sampleOf = (films) => Array.from({ length: SAMPLE }, (_, i) => films[i % films.length]);

async function facts(folder, films, runtime, rounds, what) {
  const many = manyFilms(join(folder, "many"), films, SCANNED);
  const ours = [];
  const theirs = { ffprobe: [], mediainfo: [] };
  for (let round = 0; round < rounds; round++) {
    const data = join(folder, `data-${round}`);
    const house = await openHouse({ data, runtime });
    try {
      const since = process.hrtime.bigint();
      await house.call("POST", "/libraries", { name: "Many", kind: "movies", folders: [many] });
      await until("the scan", async () => (await house.call("GET", "/admin/jobs")).items.some((job) => job.kind === "scan" && job.state === "done"), 20);
      ours.push(Number(process.hrtime.bigint() - since) / 1e6 / SCANNED);
      const known = await house.call("GET", "/titles?limit=1");
      if (known.total !== SCANNED) throw new Refusal(`the scan found ${known.total} of ${SCANNED} films`);
    } finally {
      await house.close();
      rmSync(data, { recursive: true, force: true });
    }
    theirs.ffprobe.push(perFile("ffprobe", (f) => ["-v", "error", "-show_format", "-show_streams", "-of", "json", f], sampleOf(films)));
    if (which("mediainfo")) theirs.mediainfo.push(perFile("mediainfo", (f) => ["--Output=JSON", f], sampleOf(films)));
  }
  rmSync(many, { recursive: true, force: true });
  say("");
  say(`facts of a file, from the request to the row in the database, ${SCANNED} files: ${what}`);
  const loge = median(ours);
  line("Loge, whole scan", `${loge.toFixed(3)} ms a file`, `${(1000 / loge).toFixed(0)} files/s`);
  for (const [name, samples] of Object.entries(theirs)) {
    if (samples.length === 0) warn(`${name} is not installed and is left out`);
    else line(`${name} per file`, `${median(samples).toFixed(1)} ms a file`, `${(median(samples) / loge).toFixed(0)} × as long`);
  }
  return { loge_ms: ours, ...theirs };
}

async function pictures(folder, films, runtime) {
  const count = 120;
  const many = manyFilms(join(folder, "pictured"), films, count);
  const others = named("loge-frames");
  const house = await openHouse({ data: join(folder, "data-pictures"), runtime });
  let ours;
  let oursCpu;
  try {
    await house.call("POST", "/libraries", { name: "Pictured", kind: "movies", folders: [many] });
    const job = await until("the pictures", async () => (await house.call("GET", "/admin/jobs")).items.find((job) => job.kind === "posters" && job.state === "done"), 50);
    // The job's own times: it began when the scan had found the first film.
    ours = (Date.parse(job.finished_at) - Date.parse(job.started_at ?? job.created_at)) / count;
    oursCpu = (cpuSecondsOfAll([framesOfHouse(others)]) * 1000) / count;
  } finally {
    await house.close();
  }
  const out = join(folder, "picture.jpg");
  const theirs = {
    "ffmpeg, one frame": perPicture("ffmpeg", (f) => ["-nostdin", "-v", "error", "-y", "-ss", "3", "-i", f, "-frames:v", "1", "-vf", "scale=640:-2", out], films),
    ...(which("ffmpegthumbnailer") && { ffmpegthumbnailer: perPicture("ffmpegthumbnailer", (f) => ["-i", f, "-o", out, "-s", "640", "-t", "10%"], films) }),
  };
  say("");
  say(`a picture of a film, ${count} films`);
  line("Loge, best of five", `${ours.toFixed(0)} ms a film`, `${oursCpu.toFixed(0)} ms of processor`);
  for (const [name, { wall_ms, cpu_ms }] of Object.entries(theirs)) {
    line(name, `${wall_ms.toFixed(0)} ms a film (${(wall_ms / ours).toFixed(2)} ×)`, `${cpu_ms.toFixed(0)} ms of processor (${(cpu_ms / oursCpu).toFixed(2)} ×)`);
  }
  return { loge_ms: ours, loge_cpu_ms: oursCpu, theirs };
}

/** Milliseconds of a program that is started for each film, and of processor. */
function perPicture(program, args, films) {
  const sum = { wall_ms: 0, cpu_ms: 0 };
  for (const film of sampleOf(films)) {
    const { cpu_s, wall_s } = measured(program, args(film));
    sum.cpu_ms += (cpu_s * 1000) / SAMPLE;
    sum.wall_ms += (wall_s * 1000) / SAMPLE;
  }
  return sum;
}

/** An mkv with H.264 and AC-3: the picture is copied, the sound is made anew. */
function makeMkv(folder) {
  mkdirSync(folder, { mode: 0o755 });
  const film = join(folder, "Copper Evening (2016).mkv");
  const source = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=24:d=900", "-f", "lavfi", "-i", "sine=f=220:d=900"];
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", ...source, "-c:v", "libx264", "-preset", "ultrafast", "-g", "96", "-pix_fmt", "yuv420p", "-c:a", "ac3", "-ac", "2", film]);
  return film;
}

async function firstSegment(folder, runtime, rounds) {
  const film = makeMkv(join(folder, "segments"));
  const house = await openHouse({ data: join(folder, "data-segments"), runtime });
  const seen = { loge_start: [], loge_seek: [], ffmpeg_hls: [] };
  try {
    await house.call("POST", "/libraries", { name: "Segments", kind: "movies", folders: [join(folder, "segments")] });
    const title = await until("the film", async () => (await house.call("GET", "/titles")).items[0]);
    const ask = async (url) => {
      const answer = await fetch(url);
      if (!answer.ok) throw new Refusal(`${url}: ${answer.status}`);
      return answer.text();
    };
    for (let round = 0; round < Math.max(rounds, 10); round++) {
      // Nobody has just played: what an earlier round was lent has been given back.
      const gaveBack = async () => (await house.call("GET", "/admin/containers")).items.every((loge) => !loge.lent_cpus);
      await until("a quiet loge", gaveBack);
      // What a player does, in its order: nothing is asked for before it is known.
      const since = process.hrtime.bigint();
      const passed = () => Number(process.hrtime.bigint() - since) / 1e6;
      const play = await house.call("POST", `/titles/${title.id}/play`, { capabilities: { containers: ["mp4"], video_codecs: ["h264"], audio_codecs: ["aac"], mse: { video_codecs: ["h264"], audio_codecs: ["aac"] } } });
      if (play.method !== "remux") throw new Refusal(`the film plays by ${play.method}, not by remux`);
      const master = new URL(play.url, house.base);
      const tracks = [...(await ask(master)).matchAll(/^[^#\n].*m3u8$|URI="([^"]+m3u8)"/gm)].map((m) => m[1] ?? m[0]);
      const lists = await Promise.all(tracks.map(async (track) => [track, await ask(new URL(track, master))]));
      const segment = (number) =>
        Promise.all(
          lists.map(async ([track, list]) => {
            const names = list.split("\n").filter((l) => l && !l.startsWith("#"));
            await ask(new URL(names[Math.min(number, names.length - 1)], new URL(track, master)));
          }),
        );
      await Promise.all(lists.map(([track, list]) => ask(new URL(/URI="([^"]+)"/.exec(list)[1], new URL(track, master)))));
      await segment(0);
      seen.loge_start.push(passed());
      const sought = passed();
      await segment(40 + ((round * 37) % 150));
      seen.loge_seek.push(passed() - sought);
      await house.call("DELETE", `/admin/streams/${play.play_id}`);
      seen.ffmpeg_hls.push(await plainHls(film, join(folder, "hls")));
    }
  } finally {
    await house.close();
  }
  say("");
  say("first picture and sound segment of an mkv with AC-3, in the viewer's own loge");
  const show = (name, values) => line(name, `${median(values).toFixed(0)} ms p50`, `${[...values].sort((a, b) => a - b).at(-1).toFixed(0)} ms max of ${values.length}`);
  show("Loge, from pressing play", seen.loge_start);
  show("Loge, after a seek", seen.loge_seek);
  show("ffmpeg -f hls, without a sandbox", seen.ffmpeg_hls);
  return seen;
}

/** Until ffmpeg's own muxer lists its first segment. */
async function plainHls(film, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const list = join(folder, "l.m3u8");
  const since = process.hrtime.bigint();
  const args = ["-nostdin", "-v", "error", "-i", film, "-c:v", "copy", "-c:a", "aac", "-ac", "2", "-f", "hls", "-hls_time", "4", "-hls_segment_type", "fmp4", "-hls_playlist_type", "event", list];
  const child = spawn("ffmpeg", args, { stdio: "ignore", cwd: folder });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await until("ffmpeg's first segment", () => existsSync(list) && /\.m4s/.test(readFileSync(list, "utf8")), 2);
  const took = Number(process.hrtime.bigint() - since) / 1e6;
  child.kill("SIGKILL");
  await ended;
  return took;
}
