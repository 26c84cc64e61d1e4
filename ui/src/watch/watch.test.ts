import { describe, expect, it } from "vitest";
import { parseProblem } from "../api/errors";
import { measure, takesOpenGroups } from "./capabilities";
import { TAP_MS, Taps } from "./gestures";
import { backoff, judge, StallWatch, stopOf } from "./healing";
import { introEnd } from "./intro";
import { nextSpeed, orderOf } from "./keys";
import { lowerOf, Narrow, sayNarrow } from "./narrow";
import { EVERY_MS, ProgressReporter, type Report } from "./progress";
import { changeTo, slower } from "./quality";
import { qualityOf, tooSlow } from "./source";
import { parseStoryboard, tileAt } from "./storyboard";
import { firstOf, habitOf, pick } from "./subtitles";

const key = (name: string, more = {}) => ({ key: name, ctrlKey: false, metaKey: false, altKey: false, ...more });

describe("the progress reporter", () => {
  function reporter() {
    const sent: { report: Report; keepalive: boolean }[] = [];
    const open: ((error?: Error) => void)[] = [];
    let time = 0;
    const one = new ProgressReporter(
      (report, keepalive) => {
        sent.push({ report, keepalive });
        return new Promise((done, fail) => open.push((error) => (error ? fail(error) : done())));
      },
      () => time,
    );
    const answer = async (error?: Error) => {
      open.shift()?.(error);
      await new Promise((done) => setTimeout(done));
    };
    return { one, sent, answer, pass: (ms: number) => (time += ms), events: () => sent.map((s) => `${s.report.event} ${s.report.position_s}`) };
  }

  it("reports every ten seconds, and names the play", async () => {
    const r = reporter();
    r.one.play("p1");
    r.one.moved(1);
    await r.answer();
    r.pass(EVERY_MS - 1);
    r.one.moved(11);
    expect(r.sent.length).toBe(1);
    r.pass(1);
    r.one.moved(11.00049);
    expect(r.sent[1]).toEqual({ report: { position_s: 11, event: "time", play_id: "p1" }, keepalive: false });
  });
  it("sends one at a time, and of those that wait only the newest", async () => {
    const r = reporter();
    r.one.report("play", 1);
    r.one.report("seek", 50);
    r.one.report("pause", 51);
    expect(r.events()).toEqual(["play 1"]);
    await r.answer();
    expect(r.events()).toEqual(["play 1", "pause 51"]);
  });
  it("does not let a pause overtake the end", async () => {
    const r = reporter();
    r.one.report("time", 99);
    r.one.report("ended", 100);
    r.one.report("pause", 100);
    await r.answer();
    expect(r.events()).toEqual(["time 99", "ended 100"]);
  });
  it("sends what failed again, soon, with the newest position", async () => {
    const r = reporter();
    r.one.report("pause", 10);
    await r.answer(new Error("away"));
    r.pass(2_999);
    r.one.moved(12);
    expect(r.sent.length).toBe(1);
    r.pass(1);
    r.one.moved(13);
    expect(r.events()).toEqual(["pause 10", "time 13"]);
  });
  it("says goodbye in a way that outlives the page", () => {
    const r = reporter();
    r.one.report("time", 9);
    r.one.close(12.5);
    expect(r.sent.at(-1)).toEqual({ report: { position_s: 12.5, event: "close" }, keepalive: true });
    r.one.end();
    r.one.close(13);
    r.one.report("play", 14);
    expect(r.sent.length).toBe(2);
  });
  it("never sends nonsense", () => {
    const r = reporter();
    r.one.report("seek", Number.NaN);
    r.one.report("seek", -3);
    expect(r.events()).toEqual(["seek 0"]);
  });
});

describe("healing", () => {
  const refused = (status: number, code: string, retry_after_ms?: number) => parseProblem(status, { code, detail: "", retry_after_ms }, null);

  it.each(["needs_preparing", "browser_unfit", "file_broken", "file_missing", "library_offline", "not_found", "account_disabled", "too_many_streams"])(
    "%s does not pass by itself",
    (code) => {
      expect(judge(refused(409, code), 0, "Because.").kind).toBe("refuse");
    },
  );
  it.each(["loge_starting", "loge_failed", "loge_broke", "house_full", "shutting_down", "not_ready", "engine_away", "database_away", "storage_failed"])(
    "%s passes",
    (code) => {
      expect(judge(refused(503, code), 0, "Because.").kind).toBe("wait");
    },
  );
  it("begins nothing again that was ended from outside", () => {
    expect(judge(refused(410, "stopped_by_owner"), 0, "")).toEqual({
      kind: "refuse",
      title: "The owner has stopped this film.",
      text: "Where you were is kept.",
      action: "again",
    });
    // Trying again would not help.
    expect(stopOf("no_longer_shared", "")).toMatchObject({ title: "This library is no longer shared with you.", action: "back" });
    // Of this stream alone.
    expect(stopOf("ticket_expired", "")).toBeNull();
    expect(judge(refused(410, "ticket_expired"), 0, "").kind).toBe("wait");
  });
  it("waits as long as the house says, within reason", () => {
    expect(judge(refused(503, "loge_starting", 700), 5, "")).toMatchObject({ ms: 700 });
    expect(judge(refused(503, "loge_starting", 3_600_000), 0, "")).toMatchObject({ ms: 10_000 });
    expect(judge(refused(503, "loge_starting", 0), 0, "")).toMatchObject({ ms: 250 });
  });
  it("waits longer each time when nobody answers", () => {
    expect([0, 1, 2, 3, 4, 5, 60].map(backoff)).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(judge({ kind: "unreachable" }, 2, "")).toMatchObject({ kind: "wait", ms: 2000 });
  });

  it("notices a picture that stands still, and not one that may", () => {
    const watch = new StallWatch();
    const fired = (at: number, moves: boolean, from: number, seconds: number) =>
      Array.from({ length: seconds }, (_, i) => watch.check(at, 0, moves, (from + i) * 1000)).filter(Boolean).length;
    expect(fired(5, false, 0, 100)).toBe(0);
    expect(fired(5, true, 100, 7)).toBe(0);
    expect(fired(5, true, 107, 1)).toBe(1);
    // The second time it is more patient.
    expect(fired(5, true, 108, 11)).toBe(0);
    expect(fired(5, true, 119, 1)).toBe(1);
    // A picture that has moved again starts fresh.
    expect(watch.check(6, 0, true, 130_000)).toBe(false);
    expect(fired(6, true, 131, 8)).toBe(1);
    // While bytes arrive it is only slow.
    expect(Array.from({ length: 60 }, (_, i) => watch.check(6, i + 1, true, (140 + i) * 1000)).some(Boolean)).toBe(false);
  });
});

describe("a way that is too narrow", () => {
  const sight = (seconds: number, more = {}) => ({ now: seconds * 1000, stands: true, arrived: seconds, ahead: 0, left: 600, ...more });

  it("holds the film until enough has arrived, and longer each time", () => {
    const narrow = new Narrow();
    expect([0, 1, 2, 3].map((s) => narrow.look(sight(s), 4000))).toEqual([null, null, null, null]);
    expect(narrow.look(sight(4), 4000)).toBe("hold");
    expect(narrow.look(sight(5, { ahead: 5.9 }), 4000)).toBe(null);
    expect(narrow.look(sight(6, { ahead: 6 }), 4000)).toBe("go");
    expect(narrow.look(sight(20), 4000)).toBe(null);
    expect(narrow.look(sight(24), 4000)).toBe("hold");
    expect(narrow.look(sight(25, { ahead: 11 }), 4000)).toBe(null);
    expect(narrow.look(sight(26, { ahead: 12 }), 4000)).toBe("go");
    narrow.reset();
    narrow.look(sight(30), 4000);
    expect(narrow.look(sight(34), 4000)).toBe("hold");
    expect(narrow.look(sight(35, { ahead: 6 }), 4000)).toBe("go");
  });

  it("is none where nothing arrives, or where it moves", () => {
    const narrow = new Narrow();
    expect([0, 2, 4, 60].map((s) => narrow.look(sight(s, { arrived: 7 }), 4000))).toEqual([null, null, null, null]);
    expect([61, 62, 63, 66].map((s) => narrow.look(sight(s, { stands: s % 2 === 0 }), 4000))).toEqual([null, null, null, null]);
    expect([70, 74].map((s) => narrow.look(sight(s), 12_000))).toEqual([null, null]);
  });

  it("adds up what stands again and again, until it has moved for a while or somebody sought", () => {
    const narrow = new Narrow();
    // Three seconds of every six, which none of them is too much.
    const orders = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, n) => narrow.look(sight(from + n, { stands: (from + n) % 6 < 4 }), 4000));
    expect(orders(0, 7)).not.toContain("hold");
    expect(orders(7, 12)).toContain("hold");
    expect(narrow.look(sight(12, { ahead: 6 }), 4000)).toBe("go");
    for (const s of [18, 19, 20, 21]) expect(narrow.look(sight(s), 4000)).toBe(null);
    for (const s of [22, 31]) expect(narrow.look(sight(s, { stands: false }), 4000)).toBe(null);
    for (const s of [32, 33, 34, 35]) expect(narrow.look(sight(s), 4000)).toBe(null);
    narrow.forget();
    for (const s of [36, 37, 38, 39]) expect(narrow.look(sight(s), 4000)).toBe(null);
    expect(narrow.look(sight(40), 4000)).toBe("hold");
  });

  it("goes on with what there is at the end, and when the browser takes no more", () => {
    const narrow = new Narrow();
    narrow.look(sight(0), 4000);
    expect(narrow.look(sight(4, { left: 3 }), 4000)).toBe("hold");
    expect(narrow.look(sight(5, { left: 3, ahead: 2.6 }), 4000)).toBe("go");
    narrow.look(sight(10), 4000);
    expect(narrow.look(sight(14), 4000)).toBe("hold");
    expect(narrow.look(sight(15, { ahead: 4 }), 4000)).toBe(null);
    expect(narrow.look(sight(17, { arrived: 15, ahead: 4 }), 4000)).toBe(null);
    expect(narrow.look(sight(18, { arrived: 15, ahead: 4 }), 4000)).toBe("go");
  });

  it("is said in figures where there are some, and offers what is lower", () => {
    expect(sayNarrow(2_100_000, 12_300_000)).toContain("carries 2.1 Mbit/s, and this picture takes 12.");
    for (const carries of [null, 20_000_000]) expect(sayNarrow(carries, 12_000_000)).toContain("more slowly than it plays");
    const one = (id: string, bitrate_bps: number, in_playlist: boolean) => ({ id, label: id, height: 1, kind: "rendition" as const, bitrate_bps, in_playlist });
    const original = one("original", 12_000_000, true);
    const alone = { qualities: [original, one("720p", 3_000_000, false), one("480p", 1_200_000, false)] };
    expect(lowerOf(alone, original, "original", 2_000_000)).toBe("480p");
    expect(lowerOf(alone, original, "original", 8_000_000)).toBe("720p");
    expect(lowerOf(alone, original, null, null)).toBe("480p");
    expect(lowerOf(alone, alone.qualities[2], "480p", 1_000_000)).toBe(undefined);
    const list = { qualities: [original, one("720p", 3_000_000, true)] };
    expect(lowerOf(list, original, "original", 2_000_000)).toBe(null);
    expect(lowerOf(list, original, null, 2_000_000)).toBe(undefined);
  });
});

describe("groups of pictures that are open", () => {
  it.each([
    ["Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", true],
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", false],
    ["Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/150.0 Mobile/15E148 Safari/605.1.15", false],
  ])("%s: %s", (agent, takes) => expect(takesOpenGroups(agent)).toBe(takes));
});

describe("keys", () => {
  it.each([
    [" ", "toggle"],
    ["K", "toggle"],
    ["m", "mute"],
    ["F", "fullscreen"],
    ["i", "receipt"],
    ["o", "options"],
    ["H", "chapters"],
    ["?", "keys"],
    ["Escape", "back"],
  ])("%s means %s", (name, order) => expect(orderOf(key(name), false)).toEqual({ do: order }));
  it("jumps", () => {
    expect(orderOf(key("j"), false)).toEqual({ do: "by", seconds: -10 });
    expect(orderOf(key("ArrowRight"), false)).toEqual({ do: "by", seconds: 5 });
    expect(orderOf(key("7"), false)).toEqual({ do: "to", share: 0.7 });
  });
  it("leaves the browser's own and a focused control's keys alone", () => {
    expect(orderOf(key("f", { ctrlKey: true }), false)).toBeNull();
    expect(orderOf(key(" "), true)).toBeNull();
    expect(orderOf(key("k"), true)).toEqual({ do: "toggle" });
    expect(orderOf(key("x"), false)).toBeNull();
  });
  it("walks the speeds and stops at their ends", () => {
    expect(nextSpeed(1, 1)).toBe(1.25);
    expect(nextSpeed(0.5, -1)).toBe(0.5);
    expect(nextSpeed(2, 1)).toBe(2);
    expect(nextSpeed(9, 1)).toBe(2);
  });
});

describe("fingers", () => {
  it("jump when they tap twice at a side, and on when they go on", () => {
    const taps = new Taps();
    expect(taps.tap(1000, 0.1)).toEqual({ is: "first" });
    expect(taps.tap(1000 + TAP_MS - 1, 0.1)).toEqual({ is: "jump", seconds: -10 });
    expect(taps.tap(1000 + 2 * TAP_MS - 2, 0.1)).toEqual({ is: "jump", seconds: -10 });
    expect(taps.tap(5000, 0.9)).toEqual({ is: "first" });
    expect(taps.tap(5100, 0.9)).toEqual({ is: "jump", seconds: 10 });
  });
  it("do not jump in the middle or when they take their time", () => {
    const taps = new Taps();
    taps.tap(0, 0.5);
    expect(taps.tap(100, 0.5)).toEqual({ is: "first" });
    expect(taps.tap(100 + TAP_MS, 0.9)).toEqual({ is: "first" });
  });
});

describe("capabilities", () => {
  it("says what the browser says, in the server's names", async () => {
    const chromium = (type: string) => !/hvc1|ac-3|ec-3|matroska/.test(type);
    expect(await measure(chromium, async () => true)).toEqual({
      containers: ["mp4", "m4v", "mov", "webm"],
      video_codecs: ["h264", "av1", "vp8", "vp9"],
      audio_codecs: ["aac", "flac", "opus", "vorbis", "mp3"],
      mse: { video_codecs: ["h264", "vp9", "av1"] },
    });
  });
  it("does not promise what this machine cannot decode in time", async () => {
    const slow = await measure(
      () => true,
      async (type) => !/av01|hvc1/.test(type),
    );
    expect(slow.video_codecs).toEqual(["h264", "vp8", "vp9"]);
  });
});

describe("subtitles", () => {
  const track = (index: number, language: string | null, more = {}) => ({
    index,
    codec: "subrip",
    language,
    label: language ?? "",
    forced: false,
    default: false,
    url: `/${index}.vtt`,
    note: null,
    ...more,
  });
  const list = [track(0, "en"), track(1, "de", { forced: true, default: true }), track(2, "de"), track(3, "fr", { url: null }), track(100, null)];

  it("follow what was chosen before, else what the house says", () => {
    expect(pick(list, null)).toBe(1);
    expect(pick(list, "off")).toBe(null);
    expect(pick(list, { language: "de", forced: false })).toBe(2);
    expect(pick(list, { language: "fr", forced: false })).toBe(1);
    expect(pick([list[0] as (typeof list)[0]], null)).toBe(null);
    expect(pick([], null)).toBe(null);
  });

  it("come back with the key as they were", () => {
    expect(firstOf(list, 2)).toBe(2);
    expect(firstOf(list, 3)).toBe(1);
    expect(firstOf([list[0] as (typeof list)[0]], null)).toBe(0);
    expect(firstOf([], null)).toBe(null);
    expect(orderOf(key("C"), false)).toEqual({ do: "subtitles" });
  });

  it("become a habit only where they have a language", () => {
    expect(habitOf(undefined)).toBe("off");
    expect(habitOf(list[1])).toEqual({ language: "de", forced: true });
    expect(habitOf(list[4])).toBe(null);
  });
});

describe("qualities", () => {
  const one = (id: string, in_playlist: boolean, kind: "original" | "rendition" | "live" = "rendition") => ({
    id,
    label: id,
    height: 0,
    kind,
    bitrate_bps: kind === "original" ? 8_000_000 : 1_000_000,
    in_playlist,
  });
  const play = (quality: string, method: "direct" | "remux" | "rendition" | "transcode", ...qualities: ReturnType<typeof one>[]) => ({
    quality,
    method,
    qualities,
  });
  const ladder = play("original", "remux", one("original", true, "original"), one("720p", true), one("240p", false, "live"));

  it("change within the playlist where it has them", () => {
    expect(changeTo(ladder, null, "720p")).toBe("level");
    expect(changeTo(ladder, null, "original")).toBe("level");
    expect(changeTo(ladder, null, null)).toBe("level");
  });
  it("ask for another play where it has not", () => {
    expect(changeTo(ladder, null, "240p")).toBe("play");
    const alone = play("240p", "transcode", one("original", false, "original"), one("720p", false), one("240p", true, "live"));
    expect(changeTo(alone, "240p", null)).toBe("play");
    expect(changeTo(alone, "240p", "720p")).toBe("play");
    expect(changeTo(alone, "240p", "240p")).toBe("stay");
    const direct = play("original", "direct", one("original", false, "original"), one("720p", false));
    expect(changeTo(direct, null, "720p")).toBe("play");
    expect(changeTo(direct, null, "original")).toBe("stay");
    expect(changeTo(direct, null, null)).toBe("stay");
  });
  it("that a film does not have are the house's choice", () => {
    expect(changeTo(ladder, null, "480p")).toBe("stay");
  });
  it("are found in the address of their list", () => {
    expect(qualityOf("http://house/stream/t/v-720p/index.m3u8")).toBe("720p");
    expect(qualityOf("http://house/stream/t/v-original/index.m3u8")).toBe("original");
    expect(qualityOf("http://house/stream/t/a-0/index.m3u8")).toBe(null);
  });
  it("step down when a segment that is waited for comes too slowly", () => {
    expect(tooSlow(500_000, 2_000, 12_000_000, true)).toBe(2_000_000);
    expect(tooSlow(500_000, 1_000, 12_000_000, true), "too soon to say").toBe(null);
    expect(tooSlow(5_000_000, 2_000, 12_000_000, true), "fast enough").toBe(null);
    expect(tooSlow(500_000, 2_000, 12_000_000, false), "nothing smaller").toBe(null);
    expect(tooSlow(0, 20_000, 12_000_000, true), "the machine, not the way").toBe(null);
  });
  it("step down from a file that came too slowly only where there is something smaller", () => {
    expect(slower(ladder)).toBe(4_000_000);
    expect(slower(play("original", "direct", one("original", false, "original"), one("240p", false, "live")))).toBe(null);
  });
});

describe("storyboards", () => {
  const text =
    "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nstoryboard/0.jpg#xywh=0,0,240,134\n\n00:00:10.000 --> 01:00:00.500\nstoryboard/0.jpg#xywh=240,0,240,134\n\n01:00:00.500 --> 01:00:09.000\nstoryboard/1.jpg#xywh=0,134,240,134\n";

  it("name a part of a sheet for every moment", () => {
    const tiles = parseStoryboard(text, "http://house/stream/t/storyboard.vtt");
    expect(tiles.length).toBe(3);
    expect(tiles[1]).toEqual({ start_s: 10, sheet: "http://house/stream/t/storyboard/0.jpg", x: 240, y: 0, width: 240, height: 134 });
    expect([0, 9.9, 10, 3600.4, 3600.5, 99_999].map((at) => tileAt(tiles, at)?.start_s)).toEqual([0, 0, 10, 10, 3600.5, 3600.5]);
    expect(tileAt([], 5)).toBe(null);
  });

  it("leave out what is no tile", () => {
    for (const place of ["javascript:alert(1)#xywh=0,0,1,1", "0.jpg", "0.jpg#xywh=0,0,0,10", "0.jpg') url(x#xywh=0,0,9,9", "//evil/0.svg#xywh=0,0,9,9"])
      expect(parseStoryboard(`00:00:00.000 --> 00:00:10.000\n${place}\n`, "http://house/"), place).toEqual([]);
  });
});

describe("the beginning titles", () => {
  const chapters = [
    { start_s: 0, end_s: 30, title: "Prologue" },
    { start_s: 30, end_s: 120, title: "Opening Credits" },
    { start_s: 120, end_s: 900, title: "Opening" },
    { start_s: 900, end_s: 960, title: null },
  ];
  it("can be skipped while they run, where the film says so", () => {
    expect([10, 30, 100, 117.5, 130, 910, 9999].map((at) => introEnd(chapters, at))).toEqual([null, 120, 120, null, null, null, null]);
    expect(introEnd([{ start_s: 0, end_s: 60, title: "Operation" }], 5)).toBe(null);
    expect(introEnd([], 5)).toBe(null);
  });
});
