// What a person does with a film, for any browser: lets it play, drags along it, takes another
// picture and another sound. Waiting is for conditions; what is judged is counted in the page.
//
// `page` is { goto, evaluate, press, plays }: see `chromiumPage` and support/firefox.mjs.
import assert from "node:assert/strict";
import { eventually } from "./house.mjs";

/** A picture that waits for data longer than this has stalled. */
const STALL_MS = 250;

/** A page of Playwright's in the form the matrix takes. */
export async function chromiumPage(browser, size = { width: 1280, height: 720 }, more = {}) {
  const context = await browser.newContext({ viewport: size, ...more });
  const page = await context.newPage();
  // Counts how often a press was asked for, even where it was for one frame.
  await page.addInitScript(() => {
    window.asked = 0;
    new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1 && (node.matches(".begin") || node.querySelector(".begin"))) window.asked += 1;
    }).observe(document, { childList: true, subtree: true });
  });
  const problems = [];
  const one = {
    problems,
    plays: 0,
    raw: page,
    goto: (url) => page.goto(url),
    evaluate: (what, argument) => page.evaluate(what, argument),
    press: (key) => page.keyboard.press(key),
    screenshot: (path) => page.screenshot({ path }),
    close: () => context.close(),
  };
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    if (isPlay(request.method(), request.url())) one.plays += 1;
  });
  return one;
}

export const isPlay = (method, url) => method === "POST" && /\/titles\/[^/]+\/play$/.test(url);

/** Signs the page in, without the form. */
export async function enter(page, url, username, password) {
  await page.goto(url);
  // A page that still asks who is there is told "nobody", which takes away the cookie of a sign-in that came meanwhile.
  await eventually("the form", () => page.evaluate(() => document.querySelector("input[type=password]") !== null));
  const status = await page.evaluate(
    async ([username, password]) => {
      const body = JSON.stringify({ username, password });
      // As the form leaves it: a page that knows of no sign-in does not ask for one.
      localStorage.setItem("loge-signed-in", "1");
      return (await fetch("/api/v1/auth/login", { method: "POST", headers: { "content-type": "application/json" }, body })).status;
    },
    [username, password],
  );
  assert.equal(status, 200);
}

/** In the page: counts frames, and notes every stall with its length. */
function observe(stallMs) {
  const video = document.querySelector("video");
  const seen = { frames: 0, stalls: [], since: null };
  window.seen = seen;
  const frame = () => {
    seen.frames += 1;
    if (seen.since !== null) {
      const took = Math.round(performance.now() - seen.since);
      if (took > stallMs) seen.stalls.push(took);
    }
    seen.since = null;
    video.requestVideoFrameCallback(frame);
  };
  video.requestVideoFrameCallback(frame);
  video.addEventListener("waiting", () => {
    if (!video.seeking && !video.paused) seen.since ??= performance.now();
  });
  // A place that was asked for may take its time; how long is measured elsewhere.
  video.addEventListener("seeking", () => {
    seen.since = null;
  });
}

function state() {
  const video = document.querySelector("video");
  if (!video) return null;
  return {
    time: video.currentTime,
    duration: video.duration,
    frames: window.seen?.frames ?? 0,
    stalls: window.seen?.stalls ?? [],
    seeking: video.seeking,
    paused: video.paused,
    ended: video.ended,
    ready: video.readyState,
    height: video.videoHeight,
    heard: video.webkitAudioDecodedByteCount ?? null,
    dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
    error: video.error?.message ?? null,
    holds: document.querySelector("[data-testid=holding]") !== null,
    curtain: document.querySelector("[role=alert] h1")?.textContent ?? null,
    why: document.querySelector("[role=alert] p")?.textContent ?? null,
    begin: document.querySelector("button.begin") !== null,
    asked: window.asked ?? null,
  };
}

/** What the player shows once it satisfies `enough`; a curtain ends all waiting. */
export function look(page, what, enough) {
  return eventually(what, async () => {
    const seen = await page.evaluate(state);
    if (!seen) return null;
    if (seen.curtain) throw new Error(`${what}: the player gave up: ${seen.curtain} ${seen.why}`);
    return enough(seen) ? seen : null;
  });
}

/** Opens a film. Gives what is seen when it moves, or the curtain in front of it. */
export async function open(page, house, film, from = 0) {
  const began = performance.now();
  await page.goto(`${house}/watch/${film.id}?from=${from}`);
  let last = null;
  const seen = await eventually(() => `${film.name} to begin: ${JSON.stringify(last)}`, async () => {
    const seen = await page.evaluate(state);
    last = seen;
    if (!seen) return null;
    // The browser wants a press before there is sound.
    if (seen.begin) await page.press("k");
    return seen.curtain || (seen.time > from + 0.2 && !seen.paused && seen.ready >= 3 && seen.height > 0) ? seen : null;
  });
  if (!seen.curtain) await page.evaluate(observe, STALL_MS);
  return { ...seen, took: Math.round(performance.now() - began) };
}

export function seek(page, to) {
  return page.evaluate((at) => {
    document.querySelector("video").currentTime = at;
  }, to);
}

/** Chooses in the leaf of settings. */
export async function choose(page, testid, value) {
  await options(page, testid);
  const found = await page.evaluate(
    ([testid, value]) => {
      const select = document.querySelector(`[data-testid=${testid}]`);
      if (!select) return false;
      select.value = value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      return true;
    },
    [testid, value],
  );
  assert.ok(found, `there is a choice of ${testid}`);
}

/** What the leaf of settings offers; opens it. */
export async function options(page, testid) {
  const isOpen = () => page.evaluate(() => document.querySelector("[data-testid=speed]") !== null);
  if (!(await isOpen())) {
    await page.press("o");
    await eventually("the settings", isOpen);
  }
  return page.evaluate((testid) => {
    const select = document.querySelector(`[data-testid=${testid}]`);
    return select ? { value: select.value, all: [...select.options].map((one) => one.value) } : { value: null, all: [] };
  }, testid);
}

/** Always the same places for the same film. */
export function dice(text) {
  let state = [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/**
 * Plays `seconds` of film, seeks `seeks` times (every fourth one a flurry whose middle nobody waits
 * for), and with `switches` takes every other picture and every other sound. `tall` is the height of the original.
 * Throws where the film does not go on; gives what was measured.
 */
export async function exercise(page, film, { seconds, seeks, rate, tall, switches: changes }) {
  const random = dice(film.name);
  const first = await look(page, `${film.name}`, () => true);
  const length = Number.isFinite(first.duration) ? first.duration : seconds;
  const far = Math.min(first.time + seconds, length - 2);
  await page.evaluate((rate) => {
    document.querySelector("video").playbackRate = rate;
  }, rate);
  const played = await look(page, `${film.name} to play for ${seconds} s`, (seen) => seen.time >= far);
  assert.ok(played.frames > (seconds / rate) * 4, `${film.name}: ${played.frames} frames`);
  await page.evaluate(() => {
    document.querySelector("video").playbackRate = 1;
  });

  const took = [];
  for (let n = 0; n < seeks; n += 1) {
    const to = random() * (length - 3);
    if (n % 4 === 3) for (const away of [0.4, 0.8]) await seek(page, ((to + away * length) % length) * 0.9);
    const { frames } = await page.evaluate(state);
    const began = performance.now();
    await seek(page, to);
    await look(page, `${film.name} at ${to.toFixed(2)} s`, (seen) => !seen.seeking && seen.time >= to && seen.frames > frames + 1 && seen.ready >= 2);
    took.push(performance.now() - began);
  }

  const switches = [];
  for (const testid of changes ? ["quality", "sound"] : []) {
    const { value, all } = await options(page, testid);
    // There and back again.
    for (const other of [...all.filter((one) => one !== value), value].slice(0, all.length > 1 ? undefined : 0)) {
      await seek(page, 2);
      const before = await look(page, `${film.name} before ${testid} ${other}`, (seen) => !seen.seeking && seen.time > 2.1 && seen.ready >= 3);
      await choose(page, testid, other);
      const lines = other === "original" ? tall : Number.parseInt(other, 10);
      const isIt = (seen) => testid !== "quality" || Number.isNaN(lines) || seen.height === lines;
      const there = await look(page, `${film.name} in ${testid} ${other}`, (seen) => isIt(seen) && !seen.seeking && !seen.paused && seen.ready >= 3 && seen.frames > before.frames + 5);
      const later = await look(page, `${film.name} to go on in ${testid} ${other}`, (seen) => seen.time > there.time + 1 || seen.ended);
      const stalls = later.stalls.slice(before.stalls.length);
      switches.push({ to: `${testid} ${other}`, stalls });
      assert.ok(stalls.length <= 1, `${film.name}, ${testid} ${other}: stalled ${stalls.join(", ")} ms`);
      if (later.heard !== null && testid === "sound") assert.ok(later.heard > 0, `${film.name}: the sound is decoded`);
    }
  }
  if (changes) await page.press("Escape");
  const last = await page.evaluate(state);
  assert.equal(last.error, null, film.name);
  assert.deepEqual(page.problems, [], film.name);
  return { startMs: first.took, seekMs: worst(took), stalls: played.stalls, switches, dropped: last.dropped };
}

const worst = (all) => Math.round([...all].sort((a, b) => a - b)[Math.max(0, Math.ceil(all.length * 0.95) - 1)] ?? 0);
