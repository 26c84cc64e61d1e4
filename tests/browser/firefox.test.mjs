// The same house in Firefox: other codecs, other rules for sound, the same films.
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { classes, filmClasses } from "../../scripts/lib/film-classes.mjs";
import { firefoxProgram, openFirefox } from "./support/firefox.mjs";
import { claim, eventually, openHouse, runtimes, signIn } from "./support/house.mjs";
import { enter, exercise, look, open } from "./support/matrix.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
const LONG = Boolean(process.env.LOGE_LONG);
/** One of each way to the screen; all of them where there is time. */
const SHORT = ["Plain Box", "Plain Matroska", "Irregular Groups", "B Frames", "High Efficiency", "Old Reel", "VP9 Opus", "Begins Late", "Open Groups"];
const SWITCHING = ["Plain Box", "Irregular Groups", "Old Reel"];
const METHODS = {
  "Plain Box": "direct",
  "Irregular Groups": "remux",
  "B Frames": "remux",
  "Old Reel": "transcode",
  "VP9 Opus": "direct",
  "Begins Late": "remux",
  "Open Groups": "direct",
};

describe("every kind of film in Firefox", { concurrency: false, skip: firefoxProgram() ? false : "there is no Firefox here (package: firefox-esr)" }, () => {
  let firefox;
  let house;
  let owner;
  let page;
  let titles;
  let words;
  const table = [];
  before(async () => {
    const folder = filmClasses();
    words = subtitled(folder);
    firefox = await openFirefox();
    house = await openHouse(runtimes[0]);
    await claim(house, OWNER);
    owner = await signIn(house.url, OWNER.name, OWNER.password);
    assert.equal((await owner("POST", "/libraries", { name: "Kinds", kind: "movies", folders: [folder, words] })).status, 201);
    titles = await eventually("every film", async () => {
      const { json } = await owner("GET", "/titles?limit=200");
      return json.total === classes.length + 1 && json.items.every((one) => one.playability !== "unknown") ? json.items : null;
    });
    page = await firefox.newPage();
    await enter(page, house.url, OWNER.name, OWNER.password);
  });
  after(async () => {
    if (table.length > 0) console.table(table);
    await firefox?.close();
    await house?.close();
    if (words) rmSync(words, { recursive: true, force: true });
  });

  test("a film with sound waits for a press, and says so with one large button", async () => {
    const film = titles.find((title) => title.name === "Plain Box");
    await page.goto(`${house.url}/watch/${film.id}`);
    const button = () => page.evaluate(() => document.querySelector("button.begin") !== null);
    await eventually("the button", button);
    await page.click("button.begin");
    await look(page, "the film after a press", (seen) => seen.time > 0.5 && !seen.paused);
    assert.equal(await button(), false);
    // Whoever comes from a film's own page has pressed already.
    await page.goto(`${house.url}/title/${film.id}`);
    await eventually("the film's page", () => page.evaluate(() => [...document.querySelectorAll("a, button")].some((one) => /^(play|resume)/i.test(one.textContent.trim()))));
    await page.evaluate(() => [...document.querySelectorAll("a, button")].find((one) => /^(play|resume)/i.test(one.textContent.trim())).setAttribute("data-press", ""));
    await page.click("[data-press]");
    await look(page, "the film without another press", (seen) => seen.time > 0.5 && !seen.paused && !seen.begin);
  });

  test("subtitles show in their places", async () => {
    const film = titles.find((title) => title.name === "Words");
    const begun = await open(page, house.url, film, 2);
    assert.equal(begun.curtain, null, `${begun.curtain}: ${begun.why}`);
    await page.press("c");
    const cue = await eventually("the words", () =>
      page.evaluate(() => {
        const track = [...document.querySelector("video").textTracks].find((one) => one.mode === "showing");
        const [cue] = track?.activeCues ?? [];
        return cue ? { text: cue.text, line: cue.line, snaps: cue.snapToLines, align: cue.align } : null;
      }),
    );
    assert.deepEqual(cue, { text: "<i>Above</i> &amp; left", line: 5, snaps: false, align: "left" });
    await page.press("c");
  });

  for (const one of classes.filter(({ name }) => (LONG && name !== "Cut Off") || SHORT.includes(name))) {
    test(one.name, async () => {
      const film = titles.find((title) => title.name === one.name);
      const begun = await open(page, house.url, film);
      assert.equal(begun.curtain, null, `${begun.curtain}: ${begun.why}`);
      const method = (await owner("GET", "/admin/streams")).json.items.find((play) => play.title_id === film.id)?.method;
      const figures = await exercise(page, film, { seconds: 10, seeks: LONG ? 20 : 4, rate: LONG ? 1 : method === "transcode" ? 2 : 4, tall: 360, switches: LONG || SWITCHING.includes(one.name) });
      table.push({ film: one.name, method, start: begun.took, seek: figures.seekMs, stalls: figures.stalls.length, switches: figures.switches.length, "stalls in them": figures.switches.filter((s) => s.stalls.length).length });
      if (METHODS[one.name]) assert.equal(method, METHODS[one.name]);
      // At several times its speed a film may run out where the machine is busy with something else.
      if (LONG) assert.equal(figures.stalls.length, 0, `${one.name}: stalled ${figures.stalls} ms`);
    });
  }
});

/** A film with words beside it that stand at the top and at the left. */
function subtitled(folder) {
  const to = mkdtempSync(join(tmpdir(), "loge-bw-"));
  chmodSync(to, 0o755);
  copyFileSync(join(folder, "Plain Box (2001).mp4"), join(to, "Words (2002).mp4"));
  const head = "[Script Info]\nPlayResX: 640\nPlayResY: 360\n[V4+ Styles]\nFormat: Name, Alignment\nStyle: Default,2\nStyle: Up,7\n[Events]\nFormat: Start, End, Style, Text\n";
  writeFileSync(join(to, "Words (2002).en.ass"), `${head}Dialogue: 0:00:00.00,0:00:23.00,Up,{\\i1}Above{\\i0} & left\n`);
  return to;
}
