// Every kind of film in Chromium: it plays, can be dragged along, and takes another picture and
// another sound without stopping for more than a moment.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { classes, filmClasses } from "../../scripts/lib/film-classes.mjs";
import { claim, eventually, headsOf, openBrowser, openHouse, runtimes, signIn } from "./support/house.mjs";
import { chromiumPage, dice, enter, exercise, open } from "./support/matrix.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
/** As often as a release should see it; `npm test` has a few seconds for each film. */
const LONG = Boolean(process.env.LOGE_LONG);

/** Those that take another picture and another sound in the short form: one for each way to the screen. */
const SWITCHING = ["Plain Box", "Irregular Groups", "High Efficiency", "Old Reel", "VP9 Opus", "Begins Late"];

/** How each comes to a Chromium that has no hardware behind it. */
const METHODS = {
  "Plain Box": "direct",
  "Plain Matroska": "direct",
  "Index Behind": "direct",
  "Irregular Groups": "remux",
  "B Frames": "remux",
  "High Efficiency": "transcode",
  "Old Reel": "transcode",
  "VP9 Opus": "direct",
  "VP8 Vorbis": "direct",
  "AV1 Opus": "direct",
  "VP9 In Matroska": "remux",
  "ProRes PCM": "transcode",
  "Changing Rate": "remux",
  "Ten Bits": "transcode",
  "Begins Late": "remux",
  "No Cues": "remux",
  "Open Groups": "transcode",
  "Late Sound": "direct",
  "Late Dolby Sound": "remux",
  "One Key Frame": "transcode",
  "No Sound": "transcode",
};

describe("every kind of film in Chromium", { concurrency: false }, () => {
  let browser;
  let house;
  let owner;
  let page;
  let titles;
  const table = [];
  before(async () => {
    const folder = filmClasses();
    browser = await openBrowser();
    house = await openHouse(runtimes[0]);
    await claim(house, OWNER);
    owner = await signIn(house.url, OWNER.name, OWNER.password);
    assert.equal((await owner("POST", "/libraries", { name: "Kinds", kind: "movies", folders: [folder] })).status, 201);
    titles = await eventually("every film", async () => {
      const { json } = await owner("GET", "/titles?limit=200");
      return json.total === classes.length && json.items.every((one) => one.playability !== "unknown") ? json.items : null;
    });
    page = await chromiumPage(browser);
    await enter(page, house.url, OWNER.name, OWNER.password);
  });
  after(async () => {
    if (table.length > 0) console.table(table);
    await browser?.close();
    await house?.close();
  });

  test("a film that broke off plays as far as it goes, and ends", async () => {
    const begun = await open(page, house.url, titles.find((title) => title.name === "Cut Off"));
    assert.equal(begun.curtain, null, `${begun.curtain}: ${begun.why}`);
    await page.raw.evaluate(() => {
      const video = document.querySelector("video");
      video.addEventListener("ended", () => {
        window.hasEnded = true;
      });
      video.currentTime = video.duration - 2;
    });
    await eventually("its end", () => page.raw.evaluate(() => window.hasEnded === true));
  });

  for (const one of classes.filter(({ name }) => name !== "Cut Off")) {
    test(one.name, async () => {
      const film = titles.find((title) => title.name === one.name);
      assert.ok(film, `${one.name} is in the library`);
      const begun = await open(page, house.url, film);
      assert.equal(begun.curtain, null, `${begun.curtain}: ${begun.why}`);
      assert.equal(begun.asked, 0, "no press is asked for where the browser wants none");
      const stream = (await owner("GET", "/admin/streams")).json.items.find((play) => play.title_id === film.id);
      const figures = await exercise(page, film, { seconds: 10, seeks: LONG ? 20 : 5, rate: LONG ? 1 : stream?.method === "transcode" ? 2 : 4, tall: 360, switches: LONG || SWITCHING.includes(one.name) });
      table.push({ film: one.name, method: stream?.method, start: begun.took, seek: figures.seekMs, stalls: figures.stalls.length, switches: figures.switches.length, "stalls in them": figures.switches.filter((s) => s.stalls.length).length });
      assert.equal(stream?.method, METHODS[one.name]);
      // At several times its speed a film may run out where the machine is busy with something else.
      if (LONG) assert.equal(figures.stalls.length, 0, `${one.name}: stalled ${figures.stalls} ms`);
    });
  }

  test("tabs that are opened and closed leave nothing", async () => {
    assert.equal((await owner("PATCH", "/admin/settings", { max_streams_per_person: 20 })).status, 200);
    await page.goto(house.url);
    const context = page.raw.context();
    const names = ["Plain Box", "B Frames", "Old Reel", "Irregular Groups", "VP9 Opus"];
    const random = dice("tabs");
    const tabs = [];
    let programs = 0;
    for (let n = 0; n < (LONG ? 60 : 8); n += 1) {
      const tab = await context.newPage();
      const film = titles.find((title) => title.name === names[n % names.length]);
      await tab.goto(`${house.url}/watch/${film.id}?from=${Math.floor(random() * 15)}`, { waitUntil: "commit" });
      // Some are closed before anything is there, some while it plays.
      if (random() < 0.6) await eventually("a picture", () => tab.evaluate(() => (document.querySelector("video")?.readyState ?? 0) >= 2 || document.querySelector("[role=alert]") !== null));
      tabs.push(tab);
      programs = Math.max(programs, (await headsOf(owner)).length);
      // A browser has six connections to a house, and a film that plays as a file keeps one or two.
      while (tabs.length > 2 || (tabs.length > 0 && random() < 0.4)) await tabs.splice(Math.floor(random() * tabs.length), 1)[0].close();
    }
    // The control: one is seen as long as it is there.
    const last = await context.newPage();
    await last.goto(`${house.url}/watch/${titles.find((title) => title.name === "B Frames").id}?from=3`);
    await eventually("the last tab to play", () => last.evaluate(() => (document.querySelector("video")?.currentTime ?? 0) > 3.3));
    for (const tab of tabs) await tab.close();
    const streams = async () => (await owner("GET", "/admin/streams")).json.items;
    await eventually("one seat to be left", async () => (await streams()).length === 1);
    assert.ok(programs > 0, "programs ran, and were seen");
    await last.close();
    await eventually("no seat and no program", async () => (await streams()).length === 0 && (await headsOf(owner)).length === 0);
  });
});
