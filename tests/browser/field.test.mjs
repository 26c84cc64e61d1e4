// Films as they lie on people's disks: what is known of each, and how it plays, in Chromium and
// in segments that no browser has touched.
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fieldFilms, fieldFolder } from "../../scripts/lib/field-films.mjs";
import { claim, eventually, openBrowser, openHouse, runtimes, signIn } from "./support/house.mjs";
import { chromiumPage, enter, look, open, seek } from "./support/matrix.mjs";
import { beeps, colours, fetchWhole, flashes, pitch, woven } from "./support/segments.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
/** Films that are tried at the same time. */
const SIDE_BY_SIDE = 2;
const PEOPLE = 5;

const direct = { method: "direct" };
const remux = { method: "remux" };
const transcode = { method: "transcode" };
/** It is also played in segments, where the browser would take the file. */
const both = { both: true };
const wide = { seen: [512, 288] };
const short = { seconds: 4 };
/** Whose samples browsers refuse in segments, and play from a file. */
const unusualAac = { ...direct, remade: true };
const interlaced = { ...transcode, ...short, wovenFile: true };

/**
 * What is right. `seconds`: its length; six unless said. `seen`: its picture on the screen, 320 by 180 unless said.
 * `method`: how Chromium gets it; not said where several ways would be right. `late`: seconds from a flash to the beep
 * that belongs to it. `first`: when the first flash is seen, where it is not at the start. `remade`: its sound is not
 * copied into segments. `defect` and `says`: why it cannot be watched.
 */
const RIGHT = {
  "Wide Tape (1999).mkv": { ...transcode, ...wide },
  "Narrow Tape (1998).avi": { ...transcode, seen: [320, 240] },
  "Wide Matroska (2001).mkv": { ...direct, ...both, ...wide },
  "Wide Box (2002).mp4": { ...direct, ...wide },

  "Bare HDR (2019).mkv": { ...transcode, ...short, toned: true },
  "Whole HDR (2020).mkv": { ...transcode, ...short, toned: true },
  "Broadcast HDR (2021).mkv": { ...transcode, ...short, toned: true },

  "Thumbnail First (2018).mov": { ...remux },
  "Second Picture (2019).mkv": { ...remux },
  "Two Angles (2020).mp4": { ...direct },

  "Late Picture (2010).mkv": { seconds: 10.1, late: -2.083, ...both },
  "Late Sound (2011).mkv": { seconds: 9.96, late: 1.96, ...both },
  "Later Sound (2012).mkv": { ...remux, seconds: 14, late: 6 },
  "Late Picture Box (2013).mp4": { seconds: 8.7, late: -0.7, ...both },
  "Late Sound Box (2014).mp4": { ...remux, seconds: 8.7, late: 0.7 },
  "Late Plain Sound Box (2014).mp4": { seconds: 9.4, late: 1.4, ...both },

  "Cut Box (2015).mp4": { seconds: 6.48, first: 0.48, ...both },
  "Cut Dolby Box (2016).mp4": { ...remux, seconds: 6.48, first: 0.48 },
  // What lies before its zero is not cut away: ffmpeg's way to read it gives no other beginning.
  "Cut Matroska (2017).mkv": { ...transcode, seconds: 6.48, lasts: 7.08 },
  "No Edit List (2018).mp4": { seconds: 8.08, ...both },

  "Ten Hours (2009).mkv": { seconds: 8, ...both },
  "Ten Hours Dolby (2009).mkv": { ...remux, seconds: 8 },
  "Camera (2010).mp4": { seconds: 8, ...both },

  "Live (2011).mkv": {},
  "Live Dolby (2011).mkv": { ...remux },
  // Six tenths of its bytes are about six tenths of its length.
  "Power Cut (2012).mkv": { seconds: 12, about: 1, ...both },
  "Ten Years (2013).mkv": {},

  "No Index (2014).mkv": {},
  "Index In Front (2015).mkv": { ...direct },
  "Mp3 Sound (2016).mkv": { ...direct, remade: true },

  "Sound Goes On (2010).mp4": { seconds: 14, ...both },
  "Sound Goes On (2011).mkv": { ...remux, seconds: 14 },
  "Sound Goes On Led (2012).mkv": { ...remux, seconds: 14 },
  "Picture Goes On (2013).mkv": { ...remux, seconds: 14 },
  "A Little Longer (2014).mkv": { ...direct, seconds: 3.2, few: true },
  "Silent (2015).mkv": { ...direct, silent: true },
  "Silent (2016).mp4": { ...direct, ...both, silent: true },

  "Side (2010).mkv": unusualAac,
  "Two One (2011).mkv": unusualAac,
  "Quad (2012).mp4": unusualAac,
  "Six One (2013).mkv": unusualAac,
  "Seven One (2014).mkv": unusualAac,
  "Five One (2015).mkv": { ...direct, ...both },
  "Studio Rate (2016).mkv": { ...direct, ...both },
  "Telephone Rate (2017).mkv": { ...direct, ...both },
  "Main Profile (2018).mkv": unusualAac,
  "Predicted Profile (2019).mkv": { ...unusualAac, method: null },
  "Aac In Avi (2020).avi": { ...transcode, ...short },

  "Ten Bits (2010).mkv": { ...transcode, ...short },
  "Ten Bits (2011).mp4": { ...transcode, ...short },
  "Four Two Two (2012).mp4": { ...transcode, ...short },
  "Four Four Four (2013).mkv": { ...transcode, ...short },
  "Red Green Blue (2014).mkv": { ...transcode, ...short },
  "Full Range (2015).mp4": { ...direct, ...short },
  "Gray (2016).mp4": { ...direct, ...short },
  "Fields (2017).mkv": { ...interlaced, seen: [360, 288] },
  "Fields On Tape (2018).mkv": { ...interlaced, seen: [320, 240] },

  "Named Hev1 (2010).mp4": { ...transcode, ...short, safari: "remux" },
  "Named Hvc1 (2011).mp4": { ...transcode, ...short, safari: "direct" },
  "Main Ten (2012).mkv": { ...transcode, ...short, safari: "remux" },
  "Open Hevc (2013).mkv": { ...transcode, ...short },

  "Bought (2010).m4v": { defect: "protected", says: /^This film is protected by the shop/ },

  "Zero Bytes (2001).mp4": { defect: "empty", says: /^This file is empty/ },
  "One Byte (2002).mkv": { defect: "not_media", says: /is not a film/ },
  "Web Page (2003).mp4": { defect: "not_media", says: /is not a film/ },
  "Playlist (2004).mp4": { defect: "not_media", says: /is not a film/ },
  "List (2005).mkv": { defect: "unsupported", says: /does not play this kind of file/ },
  "Noise (2006).avi": { defect: "not_media", says: /is not a film/ },
  "Photo (2007).mov": { defect: "unsupported", says: /does not play this kind of file/ },
  "Recorder (2008).mp4": { defect: "unsupported", says: /does not play this kind of file/ },
  "Really Matroska (2009).mp4": { ...direct },
  "Really Mp4 (2010).mkv": { ...direct },
  "Really Mp4 (2011).avi": { ...direct },
  "Really Matroska (2012).avi": { ...direct },
  "Only Sound (2013).mp4": { defect: "no_video", says: /no picture, only sound/ },
  "Only Sound (2014).mkv": { defect: "no_video", says: /no picture, only sound/ },
  "Single Frame (2015).mp4": { seconds: 0.04, silent: true, still: true },
  "Rotten (2016).mp4": { seconds: 10, rotten: true, ...both },

  "Unnamed Chapters (2010).mkv": { ...direct, chapters: ["0 Chapter 1", "2 Chapter 2", "4 <img src=x onerror=alert(1)> 🎬"] },
  "Chapters Behind (2011).mkv": { ...direct, chapters: ["0 At 0", "3 At 3"] },
  "Many Chapters (2012).mkv": { ...direct, chapters: 500 },

  "Second Sound (2010).mkv": { ...remux, sounds: ["English (Commentary <script>alert(1)</script>) · mono", "*日本語 · mono", "Deutsch · stereo"], hz: 1200 },
  "Forced Words (2011).mkv": { ...direct, sounds: ["*日本語 · stereo"], words: ["English (SDH)", "*English (Signs, forced)", "English"] },
  "No Languages (2012).mkv": { ...direct, words: ["*Unknown language", "No language", "Several languages", "xyz"] },
};

const near = (found, right, within, what) => assert.ok(Math.abs(found - right) <= within, `${what}: ${found}, not ${right}`);

/** Every beep has its flash, as near as two pictures are to each other. */
function inStep(seen, heard, late, least) {
  const belongs = heard.filter((at) => at > 0.5 && at - late >= 0 && at - late <= seen.at(-1) + 0.5);
  const lost = belongs.filter((at) => !seen.some((flash) => Math.abs(at - late - flash) < 0.05));
  assert.ok(belongs.length >= least && lost.length === 0, `flashes ${seen.map(round)}, beeps ${heard.map(round)}, ${late} s late`);
}
const round = (at) => Math.round(at * 100) / 100;

/** In the page: the brightest value of what a video element shows. */
function brightest() {
  const paper = document.createElement("canvas").getContext("2d");
  paper.canvas.width = paper.canvas.height = 8;
  paper.drawImage(document.querySelector("video") ?? document.createElement("video"), 0, 0, 8, 8);
  const { data } = paper.getImageData(0, 0, 8, 8);
  return data.reduce((most, value, n) => (n % 4 === 3 ? most : Math.max(most, value)), 0);
}

/** A page that can be made to take segments, and that notes whatever goes wrong in it. */
async function fieldPage(browser) {
  const page = await chromiumPage(browser, { width: 640, height: 360 });
  page.inSegments = false;
  page.method = null;
  await page.raw.addInitScript(() => {
    window.told = { began: null, ended: false };
    document.addEventListener("playing", ({ target }) => (window.told.began ??= target.currentTime), true);
    document.addEventListener("ended", () => (window.told.ended = true), true);
  });
  await page.raw.route("**/play", async (route) => {
    const asked = route.request().postDataJSON();
    if (page.inSegments) asked.capabilities.containers = [];
    const response = await route.fetch({ postData: JSON.stringify(asked) });
    if (response.ok()) page.method = (await response.json()).method;
    await route.fulfill({ response });
  });
  page.raw.on("console", (message) => {
    if (message.type() === "error") page.problems.push(`${message.text()} ${message.location().url.replace(/stream\/[^/]+/, "stream")}`);
  });
  return page;
}

describe("films of all sorts", { concurrency: SIDE_BY_SIDE }, () => {
  const folder = mkdtempSync(join(tmpdir(), "loge-field-"));
  const free = [];
  const asking = [];
  let turn = 0;
  let browser;
  let house;
  let owner;
  let titles;
  before(async () => {
    assert.deepEqual(Object.keys(RIGHT).sort(), fieldFilms.map(({ file }) => file).sort(), "every film has what is right for it");
    const films = fieldFolder();
    browser = await openBrowser();
    house = await openHouse(runtimes[0]);
    await claim(house, OWNER);
    owner = await signIn(house.url, OWNER.name, OWNER.password);
    assert.equal((await owner("PATCH", "/admin/settings", { max_streams_per_person: 20 })).status, 200);
    assert.equal((await owner("POST", "/libraries", { name: "Field", kind: "movies", folders: [films] })).status, 201);
    const found = await eventually("every film", async () => {
      const { json } = await owner("GET", "/titles?limit=200");
      const isKnown = (one) => one.playability === "broken" || (one.playability !== "unknown" && one.poster_url);
      return json.total === fieldFilms.length && json.items.every(isKnown) ? json.items : null;
    });
    const details = await Promise.all(found.map(async ({ id }) => (await owner("GET", `/titles/${id}`)).json));
    titles = new Map(details.map((title) => [basename(title.files[0].path), title]));
    const member = async (name) => {
      assert.equal((await owner("POST", "/admin/users", { username: name, password: OWNER.password, role: "admin" })).status, 201);
      return name;
    };
    // One person may press play only so often.
    for (let n = 0; n < PEOPLE; n += 1) asking.push(await signIn(house.url, await member(`Asking ${n}`), OWNER.password));
    for (let n = 0; n < SIDE_BY_SIDE; n += 1) {
      const page = await fieldPage(browser);
      page.person = await member(`Watching ${n}`);
      await enter(page, house.url, page.person, OWNER.password);
      free.push(page);
    }
  });
  after(async () => {
    await browser?.close();
    await house?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function play(title, form) {
    const by = asking[turn++ % asking.length];
    return { ...(await by("POST", `/titles/${title.id}/play`, form)), by };
  }

  /** Leaves the film. An uncalibrated house encodes two at once: until this one is known to be over, a next one may have to wait. */
  async function leave(page) {
    await page.goto("about:blank");
    await eventually(`the play of ${page.person} to be over`, async () => {
      const { json } = await owner("GET", "/admin/streams");
      return json.items.every(({ username }) => username !== page.person) || null;
    });
  }
  const close = (title, { by, json }) => by("PUT", `/titles/${title.id}/progress`, { position_s: 0, event: "close", play_id: json.play_id });

  async function facts(title, right) {
    const [file] = title.files;
    near(file.duration_s, right.seconds, right.about, "length");
    assert.deepEqual([file.width, file.height], right.seen, "size");
    assert.equal(title.files[0].defect, undefined);
    const label = ({ label, selected, default: shown }) => `${(selected ?? shown) ? "*" : ""}${label}`;
    if (right.sounds) assert.deepEqual(title.audio_tracks.map(label), right.sounds);
    if (typeof right.chapters === "number") assert.equal(title.chapters.length, right.chapters);
    else assert.deepEqual(title.chapters.map(({ start_s, title: name }) => `${start_s} ${name}`), right.chapters ?? []);
    for (const device of ["safari"].filter((name) => right[name])) {
      const { json } = await owner("GET", `/titles/${title.id}/playability?device=${device}`);
      assert.equal(json.method, right[device], device);
    }
    const played = await play(title, { capabilities: { device: "chromium" } });
    const { status, json } = played;
    assert.equal(status, 200, json?.detail);
    near(json.duration_s, right.seconds, right.about, "length of the play");
    if (right.words) assert.deepEqual(json.subtitles.map(label), right.words);
    await close(title, played);
  }

  /** In Chromium: it begins at its beginning, can be dragged to 80 %, shows a picture there, and ends. */
  async function watch(page, title, right, inSegments) {
    page.inSegments = inSegments;
    page.problems.length = 0;
    const begun = await open(page, house.url, title).catch(async (error) => {
      throw new Error(`${error.message}; the page says: ${(await page.evaluate(() => document.body.innerText)).replaceAll(/\s+/g, " ")}`);
    });
    assert.equal(begun.curtain, null, `${begun.curtain}: ${begun.why}`);
    if (inSegments) assert.notEqual(page.method, "direct");
    else if (right.method) assert.equal(page.method, right.method);
    const first = await page.evaluate(() => ({ began: window.told.began, width: document.querySelector("video").videoWidth, height: document.querySelector("video").videoHeight }));
    assert.ok(first.began < 1, `it begins at ${first.began} s`);
    near(first.width / first.height, right.seen[0] / right.seen[1], 0.02, "shape");
    const lasts = right.lasts ?? right.seconds;
    near(begun.duration, lasts, right.about, "length in the page");
    const to = begun.duration * 0.8;
    if (!right.rotten) await seek(page, to);
    await page.evaluate(() => (document.querySelector("video").playbackRate = 4));
    await look(page, "80 %", (seen) => !seen.seeking && seen.time >= to && seen.ready >= 2);
    // A picture that is held is shown and not counted again.
    await eventually("a picture there", async () => (await page.evaluate(brightest)) > 60);
    const last = await look(page, "its end", (seen) => seen.ended);
    near(last.time, lasts, right.about, "end");
    assert.ok(right.silent ? !last.heard : last.heard > 0, `${last.heard} bytes of sound were decoded`);
    assert.equal(last.error, null);
    assert.deepEqual(page.problems, []);
  }

  /** In segments, whatever the browser would take: whole, in shape, in order, in step, to the end. */
  async function segments(title, right) {
    const played = await play(title, { capabilities: { device: "chromium", containers: [] } });
    const { status, json } = played;
    assert.equal(status, 200, json?.detail);
    const { video, audio } = await fetchWhole(house.url, json, folder);
    await close(title, played);
    assert.equal(audio === null, Boolean(right.silent));
    near(video.shape, right.seen[0] / right.seen[1], 0.02, "shape in segments");
    for (const track of [video, audio].filter(Boolean)) {
      assert.ok(track.isClosed, "the list ends");
      near(track.promised, right.lasts ?? right.seconds, right.about, `length of the list of ${track.codec}`);
      near(track.end, track.promised, 0.1, `end of ${track.codec}`);
      near(track.times[0], 0, 0.001, `start of ${track.codec}`);
      // Less than a frame of sound: some clocks count thousandths.
      assert.ok(track.hole < 0.02, `a hole of ${track.hole} s in ${track.codec}`);
      assert.ok(track.isInOrder, `times of ${track.codec} increase`);
    }
    const reasons = json.reasons.map(({ code }) => code);
    if (right.method === "direct") assert.equal(reasons.includes("sound_encoded"), Boolean(right.remade), `${reasons}`);
    const seen = await flashes(video);
    // What is damaged cannot all be decoded.
    if (!right.rotten) assert.equal(seen.pictures, video.times.length, "every picture can be decoded");
    if (right.first) {
      // What was cut away is decoded and not seen: it lasts no time.
      near(seen.at.find((at) => at > 0.1), right.first, 0.05, "first flash");
    }
    if (right.hz) near(await pitch(audio), right.hz, 30, "pitch");
    else if (audio && !right.rotten) inStep(seen.at, await beeps(audio), right.late, right.few ? 2 : 3);
    if (right.toned) assert.equal(await colours(video), "bt709/bt709");
    if (right.wovenFile) {
      assert.ok((await woven({ path: title.files[0].path })) > 0.8, "the film consists of fields");
      assert.ok((await woven(video)) < 0.2, "what is made of it does not");
    }
  }

  for (const { file } of fieldFilms) {
    const right = { seconds: 6, about: 0.15, seen: [320, 180], late: 0, ...RIGHT[file] };
    if (right.defect) continue;
    test(file, async () => {
      const title = titles.get(file);
      await facts(title, right);
      const page = free.pop();
      try {
        if (right.still) return;
        await watch(page, title, right, false);
        if (right.both) {
          await leave(page);
          await watch(page, title, right, true);
        }
      } finally {
        await leave(page);
        free.push(page);
      }
      await segments(title, right);
    });
  }

  for (const [file, { defect, says }] of Object.entries(RIGHT).filter(([, right]) => right.defect)) {
    test(file, async () => {
      const title = titles.get(file);
      assert.deepEqual([title.playability, title.files[0].defect], ["broken", defect]);
      assert.match(title.files[0].defect_text, says);
      const { status, json } = await play(title, {});
      assert.deepEqual([status, json.code, json.detail], [409, "file_broken", title.files[0].defect_text]);
      const page = free.pop();
      try {
        page.inSegments = false;
        const begun = await open(page, house.url, title);
        assert.equal(begun.why, title.files[0].defect_text);
        // Most of these are whole, and something else than a film.
        assert.doesNotMatch(begun.curtain, /damaged/);
      } finally {
        await leave(page);
        free.push(page);
      }
    });
  }
});

describe("films whose headers say hours", () => {
  test("have small pictures of what is there", async () => {
    // One for each key frame, which are two seconds apart in these.
    const most = { "Ten Hours (2009).mkv": 5, "Camera (2010).mp4": 5, "Ten Years (2013).mkv": 4, "Sound Goes On (2011).mkv": 8 };
    const films = mkdtempSync(join(tmpdir(), "loge-hours-"));
    const house = await openHouse(runtimes[0]);
    try {
      chmodSync(films, 0o755);
      for (const file of Object.keys(most)) copyFileSync(join(fieldFolder(), file), join(films, file));
      await claim(house, OWNER);
      const owner = await signIn(house.url, OWNER.name, OWNER.password);
      assert.equal((await owner("POST", "/libraries", { name: "Hours", kind: "movies", folders: [films] })).status, 201);
      const titles = await eventually("every film", async () => {
        const { json } = await owner("GET", "/titles");
        return json.total === Object.keys(most).length && json.items.every((one) => one.playability !== "unknown") ? json.items : null;
      });
      for (const { id } of titles) {
        const { files } = (await owner("GET", `/titles/${id}`)).json;
        const file = basename(files[0].path);
        // They are made while nobody watches.
        const text = await eventually(`the storyboard of ${file}`, async () => {
          const answer = await owner("GET", `/titles/${id}/storyboard.vtt`);
          return answer.status === 200 ? answer.text : null;
        }, 60_000);
        const tiles = text.match(/-->/g).length;
        assert.ok(tiles >= 1 && tiles <= most[file], `${file}: ${tiles} tiles`);
      }
    } finally {
      await house.close();
      rmSync(films, { recursive: true, force: true });
    }
  });
});

describe("what these tests are made of", () => {
  test("tells what is out of step, out of shape and of no light", async () => {
    const flashing = [0, 1, 2, 3, 4, 5];
    inStep(flashing, flashing, 0, 3);
    for (const [heard, late] of [[[1.1, 2.1, 3.1], 0], [[1, 2], 0], [[], 0], [[1, 2, 3.07, 4.07], 0], [flashing, 0.5]]) assert.throws(() => inStep(flashing, heard, late, 3));
    assert.throws(() => near(720 / 576, 16 / 9, 0.02, "shape"));
    const browser = await openBrowser();
    const page = await browser.newPage();
    assert.equal(await page.evaluate(brightest), 0);
    await browser.close();
    const fields = join(fieldFolder(), "Ten Hours (2009).mkv");
    const seen = await flashes({ path: fields, times: Array.from({ length: 200 }, (_, n) => n / 25) });
    assert.deepEqual([seen.pictures, seen.at.length], [200, 8]);
    assert.equal((await beeps({ path: fields, end: Number.POSITIVE_INFINITY })).length, 8);
    assert.ok((await woven({ path: fields })) < 0.2);
  });
});
