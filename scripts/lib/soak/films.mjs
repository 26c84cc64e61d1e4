// Small films for the soak, made once: one for each way in which the house plays a film.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Refusal } from "../say.mjs";

export const FILM_S = 64;
/** Changes with what is made. */
export const EDITION = 1;

const picture = (size) => ["-f", "lavfi", "-i", `testsrc2=s=${size}:r=24`, "-f", "lavfi", "-i", "sine=f=220:r=48000"];
const h264 = (bps) => ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "48", "-b:v", String(bps), "-maxrate", String(bps), "-bufsize", String(bps)];
const aac = ["-c:a", "aac", "-b:a", "128k"];

/** name, seconds, and how it is made; `words`: subtitles inside. */
const FILMS = {
  "Even Keel (2020).mp4": { args: [...picture("640x360"), ...h264(2_000_000), ...aac, "-movflags", "+faststart"] },
  "Long Wave (2021).mkv": { args: [...picture("640x360"), ...h264(2_000_000), "-c:a", "ac3"] },
  "Spoken Tide (2022).mkv": { words: true, args: [...picture("640x360"), ...h264(1_500_000), "-c:a", "ac3", "-c:s", "srt", "-metadata:s:s:0", "language=ger"] },
  "Low Water (1999).avi": { args: [...picture("320x240"), "-c:v", "mpeg4", "-q:v", "6", "-c:a", "libmp3lame"] },
  "High Water (2023).mkv": { seconds: 16, args: [...picture("1280x720"), ...h264(3_000_000), "-c:a", "ac3"] },
};

/** Comes and goes while the library is scanned; not in the library at first. */
export const GUEST = "Passing Ship (2024).mp4";

/** Makes all of them in a folder; the guest lies beside it in `guest`. */
export function makeFilms(folder) {
  const clock = (s) => `00:${String(Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`;
  const words = join(folder, ".words.srt");
  writeFileSync(words, Array.from({ length: FILM_S }, (_, s) => `${s + 1}\n${clock(s)},000 --> ${clock(s)},900\nZeile ${s}\n`).join("\n"));
  const make = (path, { seconds = FILM_S, words: spoken, args }) => {
    const input = args.slice(0, 8);
    const out = args.slice(8);
    const streams = spoken ? ["-i", words, "-map", "0:v", "-map", "1:a", "-map", "2:s"] : [];
    const done = spawnSync("ffmpeg", ["-nostdin", "-v", "error", "-y", ...input, ...streams, "-t", String(seconds), ...out, path], { stdio: ["ignore", "ignore", "inherit"] });
    if (done.status !== 0) throw new Refusal(`ffmpeg could not make ${path}`);
  };
  for (const [name, how] of Object.entries(FILMS)) make(join(folder, name), how);
  make(join(folder, GUEST), { seconds: 8, args: [...picture("320x180"), ...h264(400_000), ...aac] });
  writeFileSync(join(folder, "Even Keel (2020).en.srt"), Array.from({ length: FILM_S }, (_, s) => `${s + 1}\n${clock(s)},000 --> ${clock(s)},900\nLine ${s}\n`).join("\n"));
}
