// Films as they lie on people's disks, one for each way in which they are unlike what a player
// expects. Made once per machine. White for two frames with a beep at every second, so that what
// is seen and what is heard can be compared.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filmFolder } from "./film-folder.mjs";
import { capture } from "./run.mjs";
import { Refusal } from "./say.mjs";

/** Changes with everything below that changes a film. */
const EDITION = 1;
/** How long those are that are no other length on purpose. */
export const SECONDS = 6;

const picture = (seconds = SECONDS, { size = "320x180", rate = 25, then = "" } = {}) => ["-f", "lavfi", "-i", `testsrc2=s=${size}:r=${rate}:d=${seconds},drawbox=t=fill:c=white:enable='lt(mod(t,1),0.08)'${then}`];
const beep = "0.5*sin(2*PI*880*t)*lt(mod(t,1),0.08)";
const sound = (seconds = SECONDS) => ["-f", "lavfi", "-i", `aevalsrc='${beep}|${beep}':s=48000:d=${seconds}`];
const film = (seconds, how) => [...picture(seconds, how), ...sound(seconds), "-map", "0:v", "-map", "1:a"];

const h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -threads 1".split(" ");
/** With pictures that are shown in another order than they are stored. */
const led = "-c:v libx264 -preset veryfast -bf 3 -pix_fmt yuv420p -g 50 -threads 1".split(" ");
const X265 = "log-level=none:pools=1:frame-threads=1";
const hevc = (more = "") => ["-c:v", "libx265", "-preset", "ultrafast", "-threads", "1", "-x265-params", X265 + more];
const aac = "-c:a aac -b:a 48k".split(" ");
const ac3 = "-c:a ac3 -b:a 96k".split(" ");
const wide = { size: "360x288", then: ",setsar=64/45" };
const bt2020 = (transfer) => ["-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc"];
const ten = ["-pix_fmt", "yuv420p10le"];

/** What others are put together from, by the name that stands for it in `from`. */
const SOURCES = {
  plain: { ending: "mp4", args: [...film(), ...h264, ...aac, "-movflags", "+faststart"] },
  led: { ending: "mp4", args: [...film(8), ...led, ...aac] },
  long: { ending: "mkv", args: [...film(20), ...h264, ...aac] },
};
const plain = ["plain"];
const copy = ["-c", "copy"];

/** Channels that AAC names itself, since no standard number stands for them. */
const channels = (layout, count) => ["-c:v", "copy", "-af", `pan=${layout}|${Array.from({ length: count }, (_, n) => `c${n}=c0`).join("|")}`, "-c:a", "aac", "-b:a", "96k"];
const onlySound = (...how) => ["-c:v", "copy", ...how];
const x264 = (...how) => [...film(4), "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-threads", "1", ...how, ...aac];

const chapters = (parts) => `;FFMETADATA1\n${parts.map(([start, end, title]) => `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${start}\nEND=${end}\n${title === undefined ? "" : `title=${title}\n`}`).join("")}`;
const words = (text) => `1\n00:00:01,000 --> 00:00:05,000\n${text}\n`;
/** Texts that films take their chapters and words from. */
const TEXTS = {
  "unnamed.txt": chapters([[0, 2000], [2000, 4000, ""], [4000, 6000, "<img src=x onerror=alert(1)> 🎬"]]),
  "behind.txt": chapters([[0, 2000, "At 0"], [3000, 5000, "At 3"], [86_399_000, 86_401_000, "At 86399"]]),
  "many.txt": chapters(Array.from({ length: 1200 }, (_, n) => [n * 5, n * 5 + 5, `Nr ${n}`])),
  "full.srt": words("full words"),
  "forced.srt": words("forced words"),
  "sdh.srt": words("sdh words"),
};
const tagged = (kind, list) => list.flatMap((tags, n) => Object.entries(tags).flatMap(([key, value]) => [`-metadata:s:${kind}:${n}`, `${key}=${value}`]));
const withChapters = (name) => ({ from: ["plain", name], args: ["-map", "0", "-map_chapters", "1", ...copy] });

/**
 * `file`: its name. `args`: how ffmpeg makes it, out of `from` where that is said (sources and texts by name). `piped`:
 * written where nothing can be filled in later. `then`: what happens to its bytes. `bytes`: it is no work of ffmpeg's.
 */
export const fieldFilms = [
  // Pixels that are not square.
  { file: "Wide Tape (1999).mkv", args: [...film(SECONDS, wide), "-c:v", "mpeg2video", "-b:v", "900k", "-g", "12", "-threads", "1", ...ac3] },
  { file: "Narrow Tape (1998).avi", args: [...film(SECONDS, { size: "360x240", then: ",setsar=8/9" }), "-c:v", "mpeg4", "-vtag", "XVID", "-q:v", "8", "-threads", "1", "-c:a", "libmp3lame"] },
  { file: "Wide Matroska (2001).mkv", args: [...film(SECONDS, wide), ...h264, ...aac] },
  { file: "Wide Box (2002).mp4", args: [...film(SECONDS, wide), ...h264, ...aac] },
  // Brightness of HDR.
  { file: "Bare HDR (2019).mkv", args: [...film(4), ...ten, ...hevc(":transfer=smpte2084"), ...aac] },
  { file: "Whole HDR (2020).mkv", args: [...film(4), ...ten, ...hevc(":hdr10=1:max-cll=1000,400"), ...bt2020("smpte2084"), ...aac] },
  { file: "Broadcast HDR (2021).mkv", args: [...film(4), ...ten, ...hevc(), ...bt2020("arib-std-b67"), ...aac] },
  // More pictures than one.
  {
    file: "Thumbnail First (2018).mov",
    from: plain,
    args: ["-f", "lavfi", "-i", "testsrc=s=160x90:r=1:d=1", "-map", "1:v", "-map", "0:v", "-map", "0:a", "-c:v:0", "mjpeg", "-pix_fmt:v:0", "yuvj420p", "-c:v:1", "copy", "-c:a", "copy", "-disposition:v:0", "0", "-disposition:v:1", "default"],
  },
  {
    file: "Second Picture (2019).mkv",
    from: plain,
    args: [...picture(SECONDS, { size: "160x90" }), "-map", "1:v", "-map", "0:v", "-map", "0:a", "-c:v:0", "libx264", "-preset", "ultrafast", "-pix_fmt:v:0", "yuv420p", "-c:v:1", "copy", "-c:a", "copy", "-disposition:v:0", "0", "-disposition:v:1", "default"],
  },
  { file: "Two Angles (2020).mp4", from: plain, args: [...picture(SECONDS, { size: "160x90" }), "-map", "0:v", "-map", "1:v", "-map", "0:a", "-c:v:0", "copy", "-c:v:1", "libx264", "-preset", "ultrafast", "-pix_fmt:v:1", "yuv420p", "-c:a", "copy"] },
  // Picture and sound do not begin together.
  ...[
    ["Late Picture (2010).mkv", 2.083, 0, copy],
    ["Late Sound (2011).mkv", 0, 1.96, copy],
    ["Later Sound (2012).mkv", 0, 6, ["-c:v", "copy", ...ac3]],
    ["Late Picture Box (2013).mp4", 0.7, 0, copy],
    ["Late Sound Box (2014).mp4", 0, 0.7, ["-c:v", "copy", ...ac3]],
    ["Late Plain Sound Box (2014).mp4", 0, 1.4, copy],
  ].map(([file, seen, heard, how]) => ({ file, twice: ["led", seen, heard], args: ["-map", "0:v", "-map", "1:a", ...how] })),
  // The beginning was cut away without making the film anew.
  { file: "Cut Box (2015).mp4", from: ["led"], skip: 1.52, args: copy },
  { file: "Cut Dolby Box (2016).mp4", from: ["led"], skip: 1.52, args: ["-c:v", "copy", ...ac3] },
  { file: "Cut Matroska (2017).mkv", from: ["led"], skip: 1.52, args: [...copy, "-avoid_negative_ts", "disabled"] },
  { file: "No Edit List (2018).mp4", from: ["led"], args: [...copy, "-use_editlist", "0"] },
  // A clock that begins at hours.
  { file: "Ten Hours (2009).mkv", from: ["led"], args: [...copy, "-output_ts_offset", "36000"] },
  { file: "Ten Hours Dolby (2009).mkv", from: ["led"], args: ["-c:v", "copy", ...ac3, "-output_ts_offset", "36000"] },
  { file: "Camera (2010).mp4", from: ["led"], args: [...copy, "-movflags", "+frag_keyframe+empty_moov+default_base_moof+skip_trailer"], then: (bytes) => fragmentsFrom(bytes, 5400) },
  // A length that is missing, or wrong.
  { file: "Live (2011).mkv", from: plain, piped: true, args: copy },
  { file: "Live Dolby (2011).mkv", from: plain, piped: true, args: ["-c:v", "copy", ...ac3] },
  { file: "Power Cut (2012).mkv", from: ["long"], args: copy, then: (bytes) => bytes.subarray(0, bytes.length * 0.6) },
  { file: "Ten Years (2013).mkv", from: plain, args: copy, then: (bytes) => lengthOfMatroska(bytes, 322_843_082_752) },
  // Matroska as other programs write it.
  { file: "No Index (2014).mkv", from: plain, args: [...copy, "-f", "matroska", "-live", "1"] },
  { file: "Index In Front (2015).mkv", from: plain, args: [...copy, "-cues_to_front", "1", "-reserve_index_space", "4096"] },
  { file: "Mp3 Sound (2016).mkv", from: plain, args: onlySound("-c:a", "libmp3lame") },
  // One track ends long before the other.
  { file: "Sound Goes On (2010).mp4", args: [...picture(6), ...sound(14), ...h264, ...aac] },
  { file: "Sound Goes On (2011).mkv", args: [...picture(6), ...sound(14), ...h264, ...ac3] },
  { file: "Sound Goes On Led (2012).mkv", args: [...picture(6), ...sound(14), ...led, ...ac3] },
  { file: "Picture Goes On (2013).mkv", args: [...picture(14), ...sound(6), ...h264, ...ac3] },
  { file: "A Little Longer (2014).mkv", args: [...picture(3), ...sound(3.2), ...h264, ...aac] },
  { file: "Silent (2015).mkv", from: plain, args: ["-an", ...copy] },
  { file: "Silent (2016).mp4", from: plain, args: ["-an", ...copy] },
  // AAC that browsers take from a file and not in segments, or not at all.
  { file: "Side (2010).mkv", from: plain, args: channels("5.1(side)", 6) },
  { file: "Two One (2011).mkv", from: plain, args: channels("2.1", 3) },
  { file: "Quad (2012).mp4", from: plain, args: channels("quad", 4) },
  { file: "Six One (2013).mkv", from: plain, args: channels("6.1", 7) },
  { file: "Seven One (2014).mkv", from: plain, args: channels("7.1", 8) },
  { file: "Five One (2015).mkv", from: plain, args: channels("5.1", 6) },
  { file: "Studio Rate (2016).mkv", from: plain, args: onlySound("-ar", "96000", ...aac) },
  { file: "Telephone Rate (2017).mkv", from: plain, args: onlySound("-ar", "8000", "-ac", "1", "-c:a", "aac", "-b:a", "16k") },
  { file: "Main Profile (2018).mkv", from: plain, args: onlySound("-c:a", "aac", "-profile:a", "aac_main", "-b:a", "64k") },
  { file: "Predicted Profile (2019).mkv", from: plain, args: onlySound("-c:a", "aac", "-profile:a", "aac_ltp", "-strict", "-2", "-b:a", "64k") },
  { file: "Aac In Avi (2020).avi", args: [...film(4), "-c:v", "mpeg4", "-vtag", "XVID", "-q:v", "9", "-threads", "1", ...aac] },
  // H.264 that browsers do not show, or show as combs.
  { file: "Ten Bits (2010).mkv", args: x264(...ten) },
  { file: "Ten Bits (2011).mp4", args: x264(...ten) },
  { file: "Four Two Two (2012).mp4", args: x264("-pix_fmt", "yuv422p") },
  { file: "Four Four Four (2013).mkv", args: x264("-pix_fmt", "yuv444p") },
  { file: "Red Green Blue (2014).mkv", args: [...film(4), "-c:v", "libx264rgb", "-preset", "ultrafast", "-threads", "1", ...aac] },
  { file: "Full Range (2015).mp4", args: x264("-pix_fmt", "yuvj420p") },
  { file: "Gray (2016).mp4", args: x264("-pix_fmt", "gray") },
  {
    file: "Fields (2017).mkv",
    args: [...film(4, { size: "360x288", rate: 50 }), "-vf", "tinterlace=interleave_top,fieldorder=tff", "-r", "25", "-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ilme+ildct", "-x264-params", "tff=1", "-pix_fmt", "yuv420p", "-threads", "1", ...aac],
  },
  {
    file: "Fields On Tape (2018).mkv",
    args: [...film(4, { size: "360x240", rate: "60000/1001" }), "-vf", "tinterlace=interleave_bottom,fieldorder=bff,setsar=8/9", "-r", "30000/1001", "-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-top", "0", "-b:v", "900k", "-threads", "1", ...ac3],
  },
  // HEVC and its names.
  { file: "Named Hev1 (2010).mp4", args: [...film(4), "-pix_fmt", "yuv420p", ...hevc(), ...aac, "-tag:v", "hev1"] },
  { file: "Named Hvc1 (2011).mp4", args: [...film(4), "-pix_fmt", "yuv420p", ...hevc(), ...aac, "-tag:v", "hvc1"] },
  { file: "Main Ten (2012).mkv", args: [...film(4), ...ten, ...hevc(), ...aac] },
  { file: "Open Hevc (2013).mkv", args: [...film(4), "-pix_fmt", "yuv420p", ...hevc(":open-gop=1:keyint=50:bframes=4"), ...aac] },
  // From a shop.
  { file: "Bought (2010).m4v", from: plain, args: [...copy, "-f", "mp4"], then: (bytes) => locked(bytes) },
  // No film, or another than its name says.
  { file: "Zero Bytes (2001).mp4", bytes: "" },
  { file: "One Byte (2002).mkv", bytes: "x" },
  { file: "Web Page (2003).mp4", bytes: "<!DOCTYPE html><html><body>404 Not Found</body></html>\n" },
  { file: "Playlist (2004).mp4", bytes: "#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:1/secret.ts\n" },
  { file: "List (2005).mkv", bytes: "ffconcat version 1.0\nfile '/etc/passwd'\n" },
  { file: "Noise (2006).avi", bytes: noise(300_000) },
  { file: "Photo (2007).mov", args: ["-f", "lavfi", "-i", "color=c=blue:s=320x180", "-frames:v", "1", "-f", "image2", "-c:v", "mjpeg"] },
  { file: "Recorder (2008).mp4", from: plain, args: [...copy, "-bsf:v", "h264_mp4toannexb", "-f", "mpegts"] },
  { file: "Really Matroska (2009).mp4", from: plain, args: [...copy, "-f", "matroska"] },
  { file: "Really Mp4 (2010).mkv", from: plain, args: [...copy, "-f", "mp4"] },
  { file: "Really Mp4 (2011).avi", from: plain, args: [...copy, "-f", "mp4"] },
  { file: "Really Matroska (2012).avi", from: plain, args: [...copy, "-f", "matroska"] },
  { file: "Only Sound (2013).mp4", from: plain, args: ["-vn", ...copy] },
  { file: "Only Sound (2014).mkv", from: plain, args: ["-vn", "-c:a", "libmp3lame"] },
  { file: "Single Frame (2015).mp4", args: [...picture(1), "-frames:v", "1", ...h264] },
  { file: "Rotten (2016).mp4", from: ["long"], args: [...copy, "-t", "10"], then: (bytes) => rotten(bytes) },
  // Chapters without names, behind the end, and far too many.
  { file: "Unnamed Chapters (2010).mkv", ...withChapters("unnamed.txt") },
  { file: "Chapters Behind (2011).mkv", ...withChapters("behind.txt") },
  { file: "Many Chapters (2012).mkv", ...withChapters("many.txt") },
  // Which sound, and which words.
  {
    file: "Second Sound (2010).mkv",
    from: plain,
    args: [
      ...["-f", "lavfi", "-i", `sine=f=220:d=${SECONDS}`, "-f", "lavfi", "-i", `sine=f=1200:d=${SECONDS}`, "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "0:a", "-c:v", "copy", "-c:a", "aac"],
      ...tagged("a", [{ language: "eng", title: "Commentary <script>alert(1)</script>" }, { language: "jpn" }, { language: "ger", title: "" }]),
      ...["-disposition:a:0", "comment", "-disposition:a:1", "default", "-disposition:a:2", "0"],
    ],
  },
  {
    file: "Forced Words (2011).mkv",
    from: ["plain", "sdh.srt", "forced.srt", "full.srt"],
    args: [
      ...["-map", "0", "-map", "1", "-map", "2", "-map", "3", ...copy, "-c:s", "srt", "-metadata:s:a:0", "language=jpn"],
      ...tagged("s", [{ language: "eng", title: "SDH" }, { language: "eng", title: "Signs" }, { language: "eng" }]),
      ...["-disposition:s:0", "hearing_impaired", "-disposition:s:1", "default+forced", "-disposition:s:2", "0"],
    ],
  },
  {
    file: "No Languages (2012).mkv",
    from: ["plain", "full.srt", "full.srt", "full.srt", "full.srt"],
    args: ["-map", "0", ...["1", "2", "3", "4"].flatMap((n) => ["-map", n]), ...copy, "-c:s", "srt", ...tagged("s", ["und", "zxx", "mul", "xyz"].map((language) => ({ language })))],
  },
];

/** The folder that holds all of them. */
export const fieldFolder = () => filmFolder("field-films", EDITION, "field", makeAll);

function makeAll(folder) {
  const parts = mkdtempSync(join(tmpdir(), "loge-parts-"));
  const path = (name) => join(parts, SOURCES[name] ? `${name}.${SOURCES[name].ending}` : name);
  try {
    for (const [name, { args }] of Object.entries(SOURCES)) ffmpeg([...args, path(name)], name);
    for (const [name, text] of Object.entries(TEXTS)) writeFileSync(path(name), text);
    for (const one of fieldFilms) make(one, join(folder, one.file), path);
  } finally {
    rmSync(parts, { recursive: true, force: true });
  }
}

function make({ file, bytes, from = [], skip, twice, args, piped, then }, to, path) {
  if (bytes !== undefined) writeFileSync(to, bytes);
  else {
    const inputs = twice ? twice.slice(1).flatMap((late) => ["-itsoffset", String(late), "-i", path(twice[0])]) : from.flatMap((name) => ["-i", path(name)]);
    const all = [...(skip ? ["-ss", String(skip)] : []), ...inputs, ...args];
    if (piped) writeFileSync(to, ffmpeg([...all, "-f", "matroska", "pipe:1"], file));
    else ffmpeg([...all, to], file);
  }
  if (then) writeFileSync(to, then(readFileSync(to)));
  chmodSync(to, 0o644);
}

function ffmpeg(args, file) {
  const { ok, stdout, stderr } = capture("ffmpeg", ["-nostdin", "-v", "error", "-y", "-filter_threads", "1", ...args], { encoding: "buffer" });
  if (!ok) throw new Refusal(`ffmpeg could not make ${file}: ${stderr}`);
  return stdout;
}

/** The same bytes every time, and no pattern in them. */
function noise(length) {
  let state = 1;
  return Buffer.from(Array.from({ length }, () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 24));
}

/** Boxes of MP4 below a path, wherever there are several. What stands before the children of some is passed over. */
function* boxes(data, path, at = 0, end = data.length, parents = []) {
  const before = { stsd: 8 };
  while (at + 8 <= end) {
    const size = data.readUInt32BE(at);
    const kind = data.toString("latin1", at + 4, at + 8);
    const box = { kind, start: at, body: at + 8, end: at + size, parents };
    if (kind === path[0] || path[0] === "*") {
      if (path.length === 1) yield box;
      else yield* boxes(data, path.slice(1), box.body + (before[kind] ?? 0), box.end, [...parents, at]);
    }
    at += size;
  }
}

/** What stands behind the times of a box, which are longer in its later version. */
const afterTimes = (data, { body }) => body + (data[body] === 0 ? 12 : 20);

/** Fragments whose clock begins at `seconds`, as recorders write them that know the time of day. */
function fragmentsFrom(data, seconds) {
  const scales = new Map();
  for (const trak of boxes(data, ["moov", "trak"])) {
    const [head] = boxes(data, ["tkhd"], trak.body, trak.end);
    const [media] = boxes(data, ["mdia", "mdhd"], trak.body, trak.end);
    scales.set(data.readUInt32BE(afterTimes(data, head)), data.readUInt32BE(afterTimes(data, media)));
  }
  for (const traf of boxes(data, ["moof", "traf"])) {
    const [head] = boxes(data, ["tfhd"], traf.body, traf.end);
    const [time] = boxes(data, ["tfdt"], traf.body, traf.end);
    const at = time.body + 4;
    data.writeBigUInt64BE(data.readBigUInt64BE(at) + BigInt(seconds * scales.get(data.readUInt32BE(head.body + 4))), at);
  }
  return data;
}

/** Writes a length into the header of Matroska. */
function lengthOfMatroska(data, milliseconds) {
  data.writeDoubleBE(milliseconds, data.indexOf(Buffer.from([0x44, 0x89, 0x88])) + 3);
  return data;
}

/** Calls every track encrypted, and says by which scheme. The table of samples lies behind them, so none of them moves. */
function locked(data) {
  const box = (kind, ...parts) => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 8);
    head.write(kind, 4, "latin1");
    return Buffer.concat([head, body]);
  };
  const names = { avc1: "encv", mp4a: "enca" };
  const entry = () => [...boxes(data, ["moov", "trak", "mdia", "minf", "stbl", "stsd", "*"])].find(({ kind }) => names[kind]);
  for (let one = entry(); one; one = entry()) {
    const key = box("tenc", Buffer.from([0, 0, 0, 0, 0, 0, 1, 8]), Buffer.alloc(16, 7));
    const scheme = box("schm", Buffer.from([0, 0, 0, 0]), Buffer.from("cenc"), Buffer.from([0, 1, 0, 0]));
    const lock = box("sinf", box("frma", Buffer.from(one.kind)), scheme, box("schi", key));
    data.write(names[one.kind], one.start + 4, "latin1");
    for (const at of [...one.parents, one.start]) data.writeUInt32BE(data.readUInt32BE(at) + lock.length, at);
    data = Buffer.concat([data.subarray(0, one.end), lock, data.subarray(one.end)]);
  }
  return data;
}

/** Turns a part in the middle of what the film consists of into something else. */
function rotten(data) {
  const [{ body, end }] = boxes(data, ["mdat"]);
  const from = body + Math.floor((end - body) / 3);
  for (let at = from; at < from + 4000; at += 1) data[at] ^= 0x5a;
  return data;
}
