// The films we make ourselves with ffmpeg: every container format Loge lists, with names as
// people have them on their disks. Public domain by birth (CC0-1.0).
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { capture, run } from "./run.mjs";
import { LOOP_S, scenes } from "./scenes.mjs";

const h264 = ["-c:v", "libx264", "-preset", "superfast", "-crf", "22", "-profile:v", "high", "-pix_fmt", "yuv420p", "-g", "48"];
const aac = ["-c:a", "aac", "-b:a", "128k"];
const faststart = ["-movflags", "+faststart"];
const vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-b:v", "900k", "-g", "48", "-pix_fmt", "yuv420p"];

/** file, the name shown in the picture, scene, seconds, height, a chord in Hz, and how it is encoded. */
export const films = [
  { file: "films/The Lantern Room (2021).mp4", title: "The Lantern Room", scene: "lanterns", seconds: 60, height: 720, chord: [196, 246.9, 293.7], out: [...h264, ...aac, ...faststart] },
  // No faststart: the index sits behind the pictures, as cameras and old converters leave it.
  { file: "films/Night Ferry (2019).mp4", title: "Night Ferry", scene: "ferry", seconds: 60, height: 720, chord: [146.8, 220, 261.6], out: [...h264, ...aac] },
  { file: "films/A Garden of Numbers (2018).webm", title: "A Garden of Numbers", scene: "fractal", seconds: 30, height: 720, chord: [174.6, 261.6, 329.6], out: [...vp9, "-c:a", "libopus", "-b:a", "96k"] },
  { file: "films/Moss and Mirrors (2016).mkv", title: "Moss and Mirrors", scene: "moss", seconds: 40, height: 720, chord: [130.8, 196, 311.1], out: [...h264, "-c:a", "ac3", "-b:a", "192k"] },
  { file: "films/The Paper Balcony (2009).avi", title: "The Paper Balcony", scene: "hills", seconds: 40, height: 480, chord: [164.8, 207.7, 246.9], out: ["-c:v", "mpeg4", "-q:v", "4", "-pix_fmt", "yuv420p", "-c:a", "libmp3lame", "-b:a", "128k"] },
  { file: "films/Northern Lights, Southern Hearts (2023).mov", title: "Northern Lights,\nSouthern Hearts", scene: "aurora", seconds: 40, height: 720, chord: [138.6, 207.7, 277.2], out: [...h264, ...aac] },
  { file: "films/Second Curtain (2014).m4v", title: "Second Curtain", scene: "curtain", seconds: 45, height: 720, chord: [155.6, 233.1, 293.7], out: [...h264, ...aac, ...faststart] },
  { file: "shows/The Understudies/Season 01/The Understudies S01E01 Half Light.mp4", title: "Half Light", scene: "curtain", seconds: 20, height: 360, chord: [220, 277.2], out: [...h264, ...aac, ...faststart] },
  { file: "shows/The Understudies/Season 01/The Understudies S01E02 The Prompter.mp4", title: "The Prompter", scene: "lanterns", seconds: 20, height: 360, chord: [196, 293.7], out: [...h264, ...aac, ...faststart] },
  { file: "shows/The Understudies/Season 01/The Understudies S01E03 Last Train Home.webm", title: "Last Train Home", scene: "ferry", seconds: 20, height: 360, chord: [174.6, 220], out: [...vp9, "-c:a", "libopus", "-b:a", "64k"] },
];

/** Ten minutes without an hour of encoding: a finished film, ten times in a row. */
export const long = { file: "long/The Long Intermission (2020).mp4", source: "films/The Lantern Room (2021).mp4", times: 10 };

/** Paints the loop of a scene once, small and without loss. */
export async function paint(name, scratch) {
  const loop = join(scratch, `${name}.mkv`);
  if (existsSync(loop)) return loop;
  const part = join(scratch, `${name}.part.mkv`);
  await ffmpeg(["-f", "lavfi", "-i", scenes[name], "-t", String(endless(name) ? 40 : LOOP_S), "-c:v", "ffv1", part]);
  renameSync(part, loop);
  return loop;
}

const endless = (name) => name === "fractal" || name === "moss";

export async function make(film, to, scratch) {
  const loop = await paint(film.scene, scratch);
  const picture = [`fps=24`, `scale=-2:${film.height}:flags=bicubic`, ...caption(film, scratch), "format=yuv420p"].join(",");
  const tones = film.chord.map((hz, at) => `sine=f=${hz}:r=48000,tremolo=f=${0.2 + at * 0.13}:d=0.7[t${at}]`).join(";");
  const mix = film.chord.map((_, at) => `[t${at}]`).join("");
  const sound = `${tones};${mix}amix=inputs=${film.chord.length},volume=0.5,aecho=0.8:0.6:180|320:0.3|0.2,aformat=channel_layouts=stereo,afade=t=in:d=2,afade=t=out:st=${film.seconds - 2}:d=2`;
  await whole(film.file, to, (part) => [
    ...["-stream_loop", "-1", "-i", loop, "-f", "lavfi", "-i", sound],
    ...["-map", "0:v", "-map", "1:a", "-vf", picture, ...film.out, "-metadata", `title=${film.title.replace("\n", " ")}`, "-t", String(film.seconds), part],
  ]);
}

export async function makeLong(to, scratch) {
  const list = join(scratch, "long.txt");
  const source = join(to, long.source).replaceAll("'", "'\\''");
  writeFileSync(list, `file '${source}'\n`.repeat(long.times));
  await whole(long.file, to, (part) => ["-f", "concat", "-safe", "0", "-i", list, "-map", "0", "-c", "copy", ...faststart, part]);
}

/** Writes beside the target and renames: an interrupted run leaves no half film under a real name. */
async function whole(file, to, args) {
  const path = join(to, file);
  mkdirSync(dirname(path), { recursive: true });
  const part = `${path}.part${extname(path)}`;
  try {
    await ffmpeg(args(part));
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
}

function ffmpeg(args) {
  return run("ffmpeg", ["-nostdin", "-v", "error", "-y", "-bitexact", ...args]);
}

/** The film's name over its first seconds, where this ffmpeg can write and the machine has a font. */
function caption(film, scratch) {
  const font = titleFont();
  if (!font) return [];
  const text = join(scratch, `${film.file.replaceAll(/\W+/g, "-")}.txt`);
  writeFileSync(text, film.title);
  const size = Math.round(film.height / 11);
  const fade = "if(lt(t,1),t,if(lt(t,8),1,max(0,9-t)))";
  return [
    `drawtext=fontfile=${font}:textfile=${text}:fontsize=${size}:fontcolor=0xf6e7c8:alpha='${fade}':x=(w-text_w)/2:y=(h-text_h)/2:shadowcolor=black@0.6:shadowx=3:shadowy=3:line_spacing=${Math.round(size / 4)}`,
  ];
}

let font;
function titleFont() {
  if (font !== undefined) return font;
  const known = ["/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf", "/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf"];
  const canWrite = capture("ffmpeg", ["-v", "error", "-filters"]).stdout.includes(" drawtext ");
  font = (canWrite && known.find((path) => existsSync(path))) || null;
  return font;
}
