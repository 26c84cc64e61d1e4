// The films that other tests and screenshots stand on.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { test } from "node:test";
import { capture } from "../../scripts/lib/run.mjs";

const folder = process.env.LOGE_TEST_MEDIA;
const skip = folder ? false : "no LOGE_TEST_MEDIA";
const manifest = () => JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));

test("six container formats, each film with source, licence and digest", { skip }, () => {
  const { files } = manifest();
  const formats = new Set(files.filter(({ file }) => file.startsWith("films/")).map(({ file }) => extname(file)));
  for (const format of [".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v"]) assert.ok(formats.has(format), format);
  for (const one of files) {
    assert.ok(one.source && one.licence, one.file);
    assert.match(one.sha256, /^[0-9a-f]{64}$/);
    assert.equal(statSync(join(folder, one.file)).size, one.size_bytes);
  }
});

test("the index sits in front in one film and behind in another", { skip }, () => {
  const position = (file) => {
    const bytes = readFileSync(join(folder, file));
    return bytes.indexOf("moov") < bytes.indexOf("mdat") ? "front" : "behind";
  };
  assert.equal(position("films/The Lantern Room (2021).mp4"), "front");
  assert.equal(position("films/Night Ferry (2019).mp4"), "behind");
});

test("the long film is whole: ten minutes, times that only rise", { skip }, () => {
  const path = join(folder, "long/The Long Intermission (2020).mp4");
  const listed = capture("ffprobe", ["-v", "error", "-select_streams", "v", "-show_entries", "packet=dts", "-of", "csv=p=0", path]);
  const times = listed.stdout.trim().split("\n").map((line) => Number.parseInt(line, 10));
  assert.equal(times.length, 600 * 24);
  assert.ok(times.every((time, at) => at === 0 || time > times[at - 1]));
});

test("the broken ones are broken", { skip }, () => {
  const { bad } = manifest();
  assert.ok(bad.some(({ file_hex }) => file_hex && Buffer.from(file_hex, "hex").includes(0xe9)));
  assert.equal(statSync(join(folder, "bad/Empty (2001).mp4")).size, 0);
  assert.ok(statSync(join(folder, "bad/Pipe (2006).mp4")).isFIFO());
  assert.throws(() => statSync(join(folder, "bad/Nowhere (2007).mp4")), /ENOENT/);
});
