// A film with a smaller version: the picture follows the way to the browser, and whoever chooses is obeyed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { claim, eventually, openBrowser, openHouse, runtimes, signIn } from "./support/house.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
/** Bytes a second: plenty for the small version, far too few for the original. */
const NARROW = 400_000;
/** Half of what the original takes. */
const TIGHT = 800_000;

let films;
let browser;
let house;
let owner;
let film;
before(async () => {
  films = mkdtempSync(join(tmpdir(), "loge-bl-"));
  chmodSync(films, 0o755);
  // Noise is what encoders cannot make small: some 12 Mbit/s.
  const source = ["-f", "lavfi", "-i", "testsrc2=s=960x540:r=24,noise=alls=40:allf=t", "-f", "lavfi", "-i", "sine=frequency=220", "-t", "50"];
  const codecs = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 48 -b:v 12M -maxrate 14M -bufsize 14M -c:a ac3".split(" ");
  const made = spawnSync("ffmpeg", ["-nostdin", "-v", "error", ...source, ...codecs, join(films, "Tall Grass (2020).mkv")], { stdio: "inherit" });
  assert.equal(made.status, 0);
  browser = await openBrowser();
  house = await openHouse(runtimes[0]);
  await claim(house, OWNER);
  owner = await signIn(house.url, OWNER.name, OWNER.password);
  const library = await owner("POST", "/libraries", { name: "Films", kind: "movies", folders: [films] });
  assert.equal(library.status, 201);
  film = await eventually("the film", async () => (await owner("GET", "/titles")).json.items.find((t) => t.playability === "remux"));
  assert.equal((await owner("POST", `/titles/${film.id}/prepare`, { quality: "480p" })).status, 202);
  const version = async () => (await owner("GET", "/admin/renditions")).json.items[0];
  await eventually("the smaller version", async () => (await version()).state === "done", 400_000);
});
after(async () => {
  await browser?.close();
  await house?.close();
  if (films) rmSync(films, { recursive: true, force: true });
});

/** A page that is signed in, on a way that can be made narrow. */
async function openPage() {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
  const seen = { page, problems: [], plays: 0 };
  page.on("pageerror", (error) => seen.problems.push(error.message));
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith(`/titles/${film.id}/play`)) seen.plays += 1;
  });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  seen.way = (bytes) => cdp.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: bytes, uploadThroughput: -1 });
  seen.look = () =>
    page.evaluate(() => {
      const video = document.querySelector("video");
      return { height: video.videoHeight, time: video.currentTime, src: video.src, moves: !video.paused && !video.seeking && video.readyState >= 3 && video.playbackRate > 0, error: video.error?.message ?? null };
    });
  seen.seek = (to) => page.evaluate((at) => (document.querySelector("video").currentTime = at), to);
  await page.goto(house.url);
  await page.getByLabel("Name", { exact: true }).fill(OWNER.name);
  await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Tall Grass").first().waitFor();
  return seen;
}

test("the picture becomes smaller by itself on a narrow way, and larger again as chosen, without another play", async () => {
  const viewer = await openPage();
  const { page, problems, way, look, seek } = viewer;
  await page.goto(`${house.url}/watch/${film.id}`);
  await page.locator("video").waitFor();
  const first = await eventually("the original in motion", async () => {
    const seen = await look();
    return seen.height === 540 && seen.time > 0.5 && seen.moves && seen;
  });

  // The way becomes narrow.
  await way(NARROW);
  await seek(32);
  const narrow = await eventually("the smaller picture", async () => {
    const seen = await look();
    return seen.height === 480 && seen.time > 32.2 && seen.moves && seen;
  });
  assert.equal(narrow.src, first.src, "the same source");
  assert.equal(viewer.plays, 1, "the same play");
  const { json: streams } = await owner("GET", "/admin/streams");
  assert.equal(streams.items.find((s) => s.title_id === film.id).quality, "480p", "the owner sees what plays now");

  // Somebody insists on the original, and the way is wide again: no other play.
  await way(-1);
  await page.keyboard.press("o");
  await page.getByTestId("quality").selectOption("original");
  await seek(4);
  await eventually("the original as chosen", async () => {
    const seen = await look();
    return seen.height === 540 && seen.time > 4.2 && seen.moves;
  });
  assert.equal(viewer.plays, 1, "still the same play");

  // It is kept to, and kept for the next time on this device.
  await page.getByTestId("quality").selectOption("480p");
  await seek(20);
  await eventually("the smaller one as chosen", async () => {
    const seen = await look();
    return seen.height === 480 && seen.time > 20.2 && seen.moves;
  });
  assert.equal(viewer.plays, 1, "still the same play");
  await page.goto(`${house.url}/watch/${film.id}?from=10`);
  await page.locator("video").waitFor();
  await eventually("the smaller one from the beginning", async () => {
    const seen = await look();
    return seen.time > 10.3 && seen.moves && seen;
  });
  assert.equal((await look()).height, 480);
  await page.keyboard.press("o");
  assert.equal(await page.getByTestId("quality").inputValue(), "480p");
  assert.equal((await look()).error, null);
  assert.deepEqual(problems, []);
  await page.context().close();
});

/** Waits until the film holds; a failure says what was on the page instead. */
async function held({ page, look }, holding) {
  try {
    await holding.waitFor({ timeout: 60_000 });
  } catch (error) {
    const words = await page.locator("body").innerText();
    throw new Error(`the film does not hold: ${JSON.stringify(await look())}, and the page says: ${words}`, { cause: error });
  }
}

test("whoever insists on a picture that the way does not carry gets it in pieces, and is offered a smaller one", async () => {
  const viewer = await openPage();
  const { page, problems, way, look } = viewer;
  await page.evaluate(() => localStorage.setItem("loge-quality", "original"));
  await way(TIGHT);
  await page.goto(`${house.url}/watch/${film.id}?from=5`);
  const holding = page.getByTestId("holding");
  await held(viewer, holding);
  assert.match(await holding.innerText(), /carries \d\.\d Mbit\/s, and this picture takes 1\d|more slowly than it plays/);
  const then = await look();
  // It goes on by itself when a good piece has arrived, and not for a second only.
  await holding.waitFor({ state: "detached", timeout: 60_000 });
  const gone = await eventually("a piece of the original", async () => {
    const seen = await look();
    return seen.time > then.time + 4 && seen;
  });
  assert.deepEqual([gone.height, gone.src, viewer.plays], [540, then.src, 1], "the same picture of the same play");

  await held(viewer, holding);
  const there = await look();
  await page.getByRole("button", { name: "Use a lower quality" }).click();
  const lower = await eventually("the smaller picture", async () => {
    const seen = await look();
    return seen.height === 480 && seen.time > there.time + 2 && seen.moves && seen;
  });
  assert.deepEqual([lower.src, viewer.plays], [then.src, 1]);
  assert.equal(await holding.count(), 0);
  assert.equal(await page.evaluate(() => localStorage.getItem("loge-quality")), null, "the house chooses again");
  assert.deepEqual(problems, []);
  await page.context().close();
});
