// What a careless or hostile disk holds: files that look like films and are not, and names
// that were never meant for a screen. A scan must answer each and stop at none.
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustCapture } from "./run.mjs";

/** Writes the set below `to` from one small good clip; answers its list `{ file | file_hex, what }`. */
export function writeBadFiles(to, clip) {
  const folder = join(to, "bad");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const made = [];
  const put = (name, what, write) => {
    write(join(folder, name));
    made.push({ file: `bad/${name}`, what });
  };
  put("Empty (2001).mp4", "zero bytes", (path) => closeSync(openSync(path, "w")));
  put("Cut Short (2002).mp4", "truncated, index at the front", (path) => {
    copyFileSync(clip, path);
    truncateSync(path, Math.floor(readFileSync(clip).length * 0.4));
  });
  put("Head Only (2003).mp4", "only the first 20 bytes", (path) => writeFileSync(path, readFileSync(clip).subarray(0, 20)));
  put("A Letter (2004).mkv", "text under a film's name", (path) => writeFileSync(path, "Dear reader,\nthis is a letter, not a film.\n".repeat(200)));
  put("Playlist (2005).mp4", "a playlist that points elsewhere", (path) => writeFileSync(path, "#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"));
  put("Pipe (2006).mp4", "a FIFO: opening it would wait for ever", (path) => mustCapture("mkfifo", [path]));
  put("loop", "a symlink to its own folder", (path) => symlinkSync(".", path));
  put("Nowhere (2007).mp4", "a symlink to nothing", (path) => symlinkSync("/nonexistent/film.mp4", path));
  put("Outside (2008).mp4", "a symlink out of the library", (path) => symlinkSync("/etc/passwd", path));
  put("New\nLine (2009).mp4", "a good clip with a newline in its name", (path) => copyFileSync(clip, path));
  put(`It's "Quoted" (2010).mp4`, "a good clip with quotes in its name", (path) => copyFileSync(clip, path));
  put("<img src=x onerror=alert(1)> (2011).mp4", "a good clip with markup in its name", (path) => copyFileSync(clip, path));
  // Latin-1 "é": not UTF-8, so the name only exists as bytes.
  const name = Buffer.concat([Buffer.from("Caf"), Buffer.from([0xe9]), Buffer.from(" (2012).mp4")]);
  copyFileSync(clip, Buffer.concat([Buffer.from(`${folder}/`), name]));
  made.push({ file_hex: Buffer.concat([Buffer.from("bad/"), name]).toString("hex"), what: "a good clip whose name is not UTF-8" });
  return made;
}
