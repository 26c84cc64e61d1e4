// Storyboards: ours through the house loge, beside ffmpeg's ways to make the same sheets and a
// thumbnailer that is started for each tile. What counts is processor time of every process that
// takes part; the films are in the page cache, and what is read of them is counted apart.
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { mustCapture, which } from "../scripts/lib/run.mjs";
import { Refusal, say, warn } from "../scripts/lib/say.mjs";
import { bytesRead, cpuSecondsOfAll, framesOfHouse, measured, named, parentOf } from "./cpu.mjs";
import { openHouse, until } from "./house.mjs";
import { line } from "./line.mjs";

/** The house takes a tile every ten seconds of these films; so do the others. */
const APART_S = 10;
/** A thumbnailer that is started per tile is measured on so many. */
const THUMBNAILS = 20;

/** The same minute again and again, by stream copy, so that two hours are made in seconds; `all`: every picture of it is decoded too, by ffmpeg. */
export const FILMS = [
  { name: "20 min, 360p", size: "640x360", rate: "500k", minutes: 20, all: true },
  { name: "10 min, 1080p, 8 Mbit/s", size: "1920x1080", rate: "8000k", minutes: 10, all: true },
  { name: "2 h, 360p", size: "640x360", rate: "500k", minutes: 120, all: false },
];

export async function storyboards(folder, runtime, films = FILMS) {
  const results = [];
  for (const film of films) results.push(await one(join(folder, "storyboard"), film, runtime));
  return results;
}

async function one(folder, { name, size, rate, minutes, all }, runtime) {
  const films = join(folder, "films");
  mkdirSync(films, { recursive: true });
  const film = join(films, "Long Night (2020).mp4");
  makeFilm(folder, film, size, rate, minutes);
  const tiles = (minutes * 60) / APART_S;
  say("");
  say(`storyboard of ${name} (${Math.round(statSync(film).size / (1 << 20))} MiB), ${tiles} tiles`);
  try {
    const ours = await throughTheHouse(folder, films, runtime, tiles);
    show("Loge", ours, ours);
    const others = {};
    const run = (key, args) => {
      others[key] = { tiles, ...measured("ffmpeg", ["-nostdin", "-v", "error", "-y", "-threads", "1", ...args, join(folder, "sheet-%d.jpg")]) };
      show(key, others[key], ours);
    };
    const sheets = ["-vf", `fps=1/${APART_S},scale=240:134:flags=fast_bilinear,tile=5x5`, "-q:v", "5"];
    if (all) run("ffmpeg, fps filter", ["-i", film, ...sheets]);
    run("ffmpeg, -skip_frame nokey", ["-skip_frame", "nokey", "-i", film, ...sheets]);
    if (which("ffmpegthumbnailer")) {
      others.ffmpegthumbnailer = thumbnails(folder, film, tiles);
      show(`ffmpegthumbnailer (${THUMBNAILS} tiles)`, others.ffmpegthumbnailer, ours);
    } else warn("ffmpegthumbnailer is not installed and is left out");
    return { name, tiles, loge: ours, ...others };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A minute with movement and grain and a key frame every two seconds, as often as it takes. */
function makeFilm(folder, film, size, rate, minutes) {
  const minute = join(folder, "minute.mp4");
  const source = `testsrc2=s=${size}:r=24:d=60,noise=alls=18:allf=t`;
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "veryfast", "-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-g", "48", "-pix_fmt", "yuv420p", minute]);
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", "-y", "-stream_loop", String(minutes - 1), "-i", minute, "-c", "copy", "-movflags", "+faststart", film]);
  rmSync(minute);
}

/**
 * Whatever the house's worker and its programs use from the poster, which comes first, to the last
 * sheet. Finding the key frames is part of it.
 */
async function throughTheHouse(folder, films, runtime, tiles) {
  const others = named("loge-frames");
  const house = await openHouse({ data: join(folder, "data"), runtime });
  try {
    await house.call("POST", "/libraries", { name: "Long", kind: "movies", folders: [films] });
    await until("the poster", async () => (await house.call("GET", "/admin/jobs")).items.some((job) => job.kind === "posters" && job.state === "done"), 5);
    const frames = framesOfHouse(others);
    // The worker of the house's own loge is who started it.
    const used = () => ({ all: cpuSecondsOfAll([frames, parentOf(frames)]), frames: cpuSecondsOfAll([frames]), read: bytesRead([frames, parentOf(frames)]) });
    const before = used();
    const began = Date.now();
    const title = (await house.call("GET", "/titles")).items[0];
    const vtt = await until("the storyboard", () => house.call("GET", `/titles/${title.id}/storyboard.vtt`).catch(() => null), 100, 20);
    const after = used();
    const found = vtt.split("-->").length - 1;
    if (Math.abs(found - tiles) > tiles / 20) throw new Refusal(`the storyboard has ${found} tiles, not ${tiles}`);
    return { cpu_s: after.all - before.all, frames_cpu_s: after.frames - before.frames, read: after.read - before.read, tiles: found, wall_s: (Date.now() - began) / 1000 };
  } finally {
    await house.close();
  }
}

function thumbnails(folder, film, tiles) {
  const all = { cpu_s: 0, read: 0, tiles: THUMBNAILS, wall_s: 0 };
  for (let n = 0; n < THUMBNAILS; n++) {
    const at = Math.floor((tiles * n) / THUMBNAILS) * APART_S;
    const time = [at / 3600, (at / 60) % 60, at % 60].map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
    const one = measured("ffmpegthumbnailer", ["-i", film, "-o", join(folder, "thumbnail.jpg"), "-s", "240", "-t", time]);
    for (const key of ["cpu_s", "read", "wall_s"]) all[key] += one[key];
  }
  return all;
}

function show(name, { cpu_s, frames_cpu_s, read, tiles, wall_s }, ours) {
  const perTile = (cpu_s * 1000) / tiles;
  const ratio = frames_cpu_s !== undefined ? `${frames_cpu_s.toFixed(2)} s of it taking pictures` : `${(cpu_s / tiles / (ours.cpu_s / ours.tiles)).toFixed(1)} × the processor time`;
  line(name, `${cpu_s.toFixed(2)} s, ${perTile.toFixed(2)} ms a tile`, `${(read / (1 << 20)).toFixed(0)} MiB read`, `${wall_s.toFixed(1)} s`, ratio);
}
