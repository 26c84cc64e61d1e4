// A play in segments, fetched to its end without a browser: what its boxes say, and what programs
// that are not ours find in it.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Runs a program and gives what it printed and what it said; throws where it fails. */
function output(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (texts[name] += text));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(texts) : reject(new Error(`${program} ended with ${code}: ${texts.stderr.slice(0, 500)}`))));
  });
}

async function get(url) {
  const response = await fetch(url);
  const what = url.pathname.split("/").slice(3).join("/");
  if (response.status !== 200) throw new Error(`${what}: ${response.status} ${(await response.text()).slice(0, 300)}`);
  return Buffer.from(await response.arrayBuffer());
}

function* boxes(data, at = 0, end = data.length) {
  while (at + 8 <= end) {
    const size = data.readUInt32BE(at);
    if (size < 8 || at + size > end) throw new Error(`a box of ${size} bytes at ${at} of ${end}`);
    yield { kind: data.toString("latin1", at + 4, at + 8), at: at + 8, end: at + size };
    at += size;
  }
}

function find(data, path, at = 0, end = data.length) {
  const [first, ...rest] = path;
  const box = [...boxes(data, at, end)].find(({ kind }) => kind === first);
  return !box || rest.length === 0 ? box : find(data, rest, box.at, box.end);
}

/**
 * The samples of a segment as its boxes have them, in seconds. ffprobe shifts all times of a track
 * whose composition offsets can be negative, so that it cannot be asked.
 */
function samples(data, scale) {
  const found = [];
  for (const moof of boxes(data)) {
    if (moof.kind !== "moof") continue;
    const traf = find(data, ["traf"], moof.at, moof.end);
    const tfdt = find(data, ["tfdt"], traf.at, traf.end);
    const trun = find(data, ["trun"], traf.at, traf.end);
    let dts = data[tfdt.at] === 1 ? Number(data.readBigUInt64BE(tfdt.at + 4)) : data.readUInt32BE(tfdt.at + 4);
    const flags = data.readUInt32BE(trun.at) & 0xffffff;
    let at = trun.at + 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
    if (!(flags & 0x100)) throw new Error("samples without a length of their own");
    const fields = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag);
    for (let n = data.readUInt32BE(trun.at + 4); n > 0; n -= 1) {
      const values = {};
      for (const flag of fields) {
        values[flag] = flag === 0x800 ? data.readInt32BE(at) : data.readUInt32BE(at);
        at += 4;
      }
      const pts = dts + (values[0x800] ?? 0);
      found.push({ dts: dts / scale, pts: pts / scale, end: (dts + values[0x100]) / scale });
      dts += values[0x100];
    }
  }
  return found;
}

/** One track to its end: all its bytes in a file at `path`, and what was promised and came. */
async function fetchTrack(list, path) {
  const text = (await get(list)).toString();
  const lengths = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].map(([, seconds]) => Number(seconds));
  const names = text.split("\n").filter((line) => line && !line.startsWith("#"));
  const init = await get(new URL(/^#EXT-X-MAP:URI="([^"]+)"/m.exec(text)[1], list));
  const parts = [];
  for (const name of names) parts.push(await get(new URL(name, list)));
  writeFileSync(path, Buffer.concat([init, ...parts]));
  const mdhd = find(init, ["moov", "trak", "mdia", "mdhd"]);
  const scale = init.readUInt32BE(mdhd.at + (init[mdhd.at] === 1 ? 20 : 12));
  const all = parts.flatMap((part) => samples(part, scale));
  const times = all.map(({ pts }) => pts).sort((a, b) => a - b);
  const { stdout } = await output("ffprobe", ["-v", "error", "-show_entries", "stream=codec_name,width,height,sample_aspect_ratio", "-of", "json", path]);
  const [stream] = JSON.parse(stdout).streams;
  const [across, down] = (stream.sample_aspect_ratio ?? "1:1").split(":").map((n) => Number(n) || 1);
  return {
    path,
    codec: stream.codec_name,
    width: stream.width,
    height: stream.height,
    shape: stream.width ? (stream.width * across) / (stream.height * down) : null,
    promised: lengths.reduce((sum, one) => sum + one, 0),
    isClosed: text.includes("#EXT-X-ENDLIST"),
    /** When each sample is shown or heard, in order. */
    times,
    end: all.reduce((last, one) => Math.max(last, one.end), 0),
    /** The longest time between two samples that neither of them fills. */
    hole: all.reduce((most, one, n) => (n === 0 ? 0 : Math.max(most, one.dts - all[n - 1].end)), 0),
    isInOrder: all.every((one, n) => n === 0 || one.dts > all[n - 1].dts) && times.every((at, n) => n === 0 || at > times[n - 1]),
  };
}

/** The picture and the sound of a play in segments, as its playlist offers them first; the sound is null where there is none. */
export async function fetchWhole(house, play, folder) {
  const master = new URL(play.url, house);
  const text = (await get(master)).toString();
  const picture = /^#EXT-X-STREAM-INF:.*\n(.+)$/m.exec(text)[1];
  const sound = /^#EXT-X-MEDIA:TYPE=AUDIO.*DEFAULT=YES.*URI="([^"]+)"/m.exec(text)?.[1] ?? null;
  const at = (uri, kind) => fetchTrack(new URL(uri, master), join(folder, `${play.play_id}.${kind}.mp4`));
  const [video, audio] = await Promise.all([at(picture, "v"), sound && at(sound, "a")]);
  return { video, audio };
}

/** When the picture turns white that was not white before, and how many pictures can be decoded. */
export async function flashes({ path, times }) {
  const stats = "signalstats,metadata=print:key=lavfi.signalstats.YMIN:file=-";
  const { stdout } = await output("ffmpeg", ["-v", "error", "-i", path, "-vf", stats, "-fps_mode", "passthrough", "-f", "null", "-"]);
  const white = [...stdout.matchAll(/YMIN=([\d.]+)/g)].map(([, least]) => Number(least) > 60);
  return { pictures: white.length, at: times.filter((_, n) => white[n] && !white[n - 1]) };
}

/** When it becomes loud; what is loud from the very start is not among them. */
export async function beeps({ path, end }) {
  const { stderr } = await output("ffmpeg", ["-v", "info", "-nostats", "-copyts", "-i", path, "-af", "silencedetect=n=-32dB:d=0.3", "-f", "null", "-"]);
  // What ends with the film is no beep.
  return [...stderr.matchAll(/silence_end: ([\d.-]+)/g)].map(([, at]) => Number(at)).filter((at) => at < end - 0.2);
}

/** The pitch of a tone that lasts, in Hz. */
export async function pitch({ path }) {
  const { stderr } = await output("ffmpeg", ["-v", "info", "-nostats", "-i", path, "-af", "aresample=48000,astats=measure_perchannel=Zero_crossings_rate", "-f", "null", "-"]);
  return (Number(/Zero crossings rate: ([\d.]+)/.exec(stderr)[1]) * 48_000) / 2;
}

/** How many pictures look like two that were woven together, of all. Movement that is taken for it is so in both orders. */
export async function woven({ path }) {
  const { stderr } = await output("ffmpeg", ["-v", "info", "-nostats", "-i", path, "-vf", "idet", "-an", "-f", "null", "-"]);
  const [top, bottom, whole] = /Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)/.exec(stderr).slice(1).map(Number);
  return Math.abs(top - bottom) / (top + bottom + whole);
}

/** What a picture says of its colours: `transfer/primaries`. */
export async function colours({ path }) {
  const { stdout } = await output("ffprobe", ["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=color_transfer,color_primaries", "-of", "csv=p=0", path]);
  return stdout.trim().replace(",", "/");
}
