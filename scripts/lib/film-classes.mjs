// One short film of every kind that players have trouble with, made once per machine. What is in
// them is a counter and two tones; how they are put together is what they are for.
import { chmodSync, closeSync, existsSync, ftruncateSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { filmFolder } from "./film-folder.mjs";
import { capture } from "./run.mjs";
import { Refusal } from "./say.mjs";

/** Changes with everything below that changes a film. */
const EDITION = 1;
export const SECONDS = 24;

const h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const main = "-c:v libx264 -preset veryfast -pix_fmt yuv420p";
/** Two sounds, as films have them that were dubbed. */
const dubbed = "-map 0:v -map 1:a -map 2:a -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger";
const aac = "-c:a aac -b:a 96k -ar 48000";
const ac3 = "-c:a ac3 -b:a 192k -ar 48000";

/**
 * `name` is the title people see, `out` how ffmpeg makes it. `late`: seconds that the sound begins
 * behind the picture. `cut`: the part of the file that is left of it. `pipe`: written where nobody
 * can go back to fill in what is known only at the end. `dubbed`: it has two sounds.
 */
export const classes = [
  { name: "Plain Box", file: "Plain Box (2001).mp4", dubbed: true, out: `${h264} -g 48 ${aac} -movflags +faststart` },
  { name: "Plain Matroska", file: "Plain Matroska (2001).mkv", dubbed: true, out: `${h264} -g 48 ${aac}` },
  { name: "Index Behind", file: "Index Behind (2001).m4v", out: `${h264} -g 48 ${aac}` },
  { name: "Irregular Groups", file: "Irregular Groups (2001).mkv", dubbed: true, out: `${h264} -bf 0 -g 9999 -sc_threshold 0 -force_key_frames 0.042,1,1.2,5,5.5,9.7,14,20.3 -c:a dca -strict -2 -b:a 384k -ar 48000` },
  { name: "B Frames", file: "B Frames (2001).mp4", dubbed: true, out: `${main} -bf 3 -g 60 ${ac3}` },
  { name: "High Efficiency", file: "High Efficiency (2001).mkv", dubbed: true, out: `-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=60 -pix_fmt yuv420p ${ac3}` },
  { name: "Old Reel", file: "Old Reel (2001).avi", out: "-c:v mpeg4 -q:v 6 -bf 2 -g 80 -c:a libmp3lame -b:a 128k" },
  { name: "VP9 Opus", file: "VP9 Opus (2001).webm", out: "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k -g 70 -c:a libopus -b:a 64k" },
  { name: "VP8 Vorbis", file: "VP8 Vorbis (2001).webm", out: "-c:v libvpx -deadline realtime -cpu-used 12 -b:v 500k -g 70 -c:a libvorbis" },
  { name: "AV1 Opus", file: "AV1 Opus (2001).webm", out: "-c:v libsvtav1 -preset 12 -crf 45 -g 72 -pix_fmt yuv420p -c:a libopus -b:a 64k" },
  { name: "VP9 In Matroska", file: "VP9 In Matroska (2001).mkv", out: `-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k -g 70 ${ac3}` },
  { name: "ProRes PCM", file: "ProRes PCM (2001).mov", out: "-c:v prores_ks -profile:v 0 -pix_fmt yuv422p10le -c:a pcm_s16le -ar 48000" },
  { name: "Changing Rate", file: "Changing Rate (2001).mkv", out: `-vf select='not(mod(n,3))+lt(mod(n,40),20)' -fps_mode vfr ${h264} -g 40 ${ac3}` },
  { name: "Ten Bits", file: "Ten Bits (2001).mp4", out: `-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le -g 48 ${aac}` },
  { name: "Begins Late", file: "Begins Late (2001).mkv", out: `-output_ts_offset 11.479 ${main} -bf 2 -g 72 ${ac3}` },
  { name: "No Cues", file: "No Cues (2001).mkv", pipe: true, out: `${h264} -g 48 ${ac3} -f matroska` },
  { name: "Cut Off", file: "Cut Off (2001).mkv", cut: 0.7, out: `${h264} -g 48 ${ac3}` },
  { name: "Open Groups", file: "Open Groups (2001).mp4", out: `${main} -x264-params open-gop=1:keyint=72:bframes=3:scenecut=0 ${aac}` },
  { name: "Late Sound", file: "Late Sound (2001).mp4", late: 1.5, out: `${h264} -g 48 ${aac}` },
  { name: "Late Dolby Sound", file: "Late Dolby Sound (2001).mkv", late: 1.5, out: `${h264} -g 48 ${ac3}` },
  { name: "One Key Frame", file: "One Key Frame (2001).mkv", out: `${h264} -g 9999 -sc_threshold 0 ${ac3}` },
  { name: "No Sound", file: "No Sound (2001).mkv", out: "-an -c:v mpeg4 -q:v 6 -g 80" },
];

/** The folder that holds all of them. */
export const filmClasses = () =>
  filmFolder("film-classes", EDITION, "kinds", (folder) => {
    for (const one of classes) make(one, join(folder, one.file));
  });

function make({ out, late = 0, cut, pipe, dubbed: two, file }, path) {
  const sound = (hz) => ["-itsoffset", String(late), "-f", "lavfi", "-i", `sine=f=${hz}:r=48000`];
  const inputs = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=24", ...sound(330), ...(two ? sound(440) : [])];
  const args = ["-nostdin", "-v", "error", "-y", ...inputs, "-t", String(SECONDS), ...(two ? dubbed.split(" ") : []), ...out.split(" ")];
  // Through a pipe it is written as a stream: without the table at its end, and without its length.
  const made = pipe ? capture("sh", ["-c", 'to=$1; shift; ffmpeg "$@" - | cat > "$to"', "sh", path, ...args]) : capture("ffmpeg", [...args, path]);
  if (!made.ok || !existsSync(path) || statSync(path).size === 0) throw new Refusal(`ffmpeg could not make ${file}: ${made.stderr}`);
  if (cut) {
    const handle = openSync(path, "r+");
    ftruncateSync(handle, Math.round(statSync(path).size * cut));
    closeSync(handle);
  }
  chmodSync(path, 0o644);
}
