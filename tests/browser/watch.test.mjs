// From the first page of a new house to a moving picture, as people do it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, makeFilms, openBrowser, openHouse, runtimes, signIn } from "./support/house.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
const VIEWER = { name: "Ana", password: "curtain up at eight" };

let films;
let browser;
before(async () => {
  films = makeFilms();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  films?.remove();
});

for (const runtime of runtimes) {
  describe(`a house with the ${runtime} runtime`, { concurrency: false }, () => {
    let house;
    let owner;
    let lantern;
    before(async () => {
      house = await openHouse(runtime);
    });
    after(async () => {
      await house?.close();
    });

    test("the first run leads through code, owner and library", async () => {
      const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
      const problems = watchForProblems(page, house.url);
      await page.goto(house.url);
      await page.getByLabel("Setup code").fill(house.setupCode);
      await page.getByLabel("Name", { exact: true }).fill(OWNER.name);
      await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
      await page.getByRole("button", { name: "Make it mine" }).click();
      await page.getByLabel("Folder", { exact: true }).waitFor();
      await page.getByLabel("Name", { exact: true }).fill("Films");
      await page.getByLabel("Folder", { exact: true }).fill(films.films);
      await page.getByText("4 videos found").waitFor();
      await page.getByRole("button", { name: "Add library" }).click();
      await page.getByRole("link", { name: "Open the house" }).click();
      owner = await signIn(house.url, OWNER.name, OWNER.password);
      const titles = await eventually("four titles", async () => {
        const { json } = await owner("GET", "/titles");
        return json.total === 4 && json.items.filter((t) => t.poster_url).length === 4 ? json.items : null;
      });
      lantern = titles.find((t) => t.name === "The Lantern Room");
      assert.equal(lantern.playability, "direct");
      // While nobody watches, small pictures are made for the seek bar.
      await eventually("the storyboard", async () => (await owner("GET", `/titles/${lantern.id}/storyboard.vtt`)).status === 200);
      assert.deepEqual(problems, []);
      await page.context().close();
    });

    test("a viewer signs in, and a container of their own appears", async () => {
      const { json: libraries } = await owner("GET", "/libraries");
      const hidden = await owner("POST", "/libraries", { name: "Private", kind: "movies", folders: [films.hidden] });
      assert.equal(hidden.status, 201);
      const made = await owner("POST", "/admin/users", { username: VIEWER.name, password: VIEWER.password, role: "viewer" });
      assert.equal(made.status, 201);
      const granted = await owner("PUT", `/admin/users/${made.json.id}/grants`, { libraries: [libraries.items[0].id] });
      assert.equal(granted.status, 204);

      const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
      const problems = watchForProblems(page, house.url);
      await enter(page, house.url);
      const mine = () => owner("GET", "/admin/containers").then(({ json }) => json.items.find((c) => c.user_id === made.json.id));
      const container = await eventually("Ana's container", async () => {
        const found = await mine();
        return found?.state === "ready" ? found : null;
      });
      assert.equal(container.limits.memory_bytes, 512 * 1024 * 1024);
      assert.equal(container.limits.cpus, 0.5);
      assert.equal(container.runtime, runtime);

      await page.goto(`${house.url}/title/${lantern.id}`);
      await page.getByRole("button", { name: /^(play|resume)/i }).or(page.getByRole("link", { name: /^(play|resume)/i })).first().click();
      await page.locator("video").waitFor();
      const first = await eventually("a moving picture", () => look(page, (seen) => seen.frames > 10 && seen.time > 0.4));
      await eventually("it to go on", () => look(page, (seen) => seen.frames > first.frames + 10 && seen.time > first.time));
      assert.equal(first.width, 960);

      await page.evaluate(() => {
        document.querySelector("video").currentTime = 60;
      });
      await eventually("the seek", () => look(page, (seen) => !seen.seeking && seen.time > 60.3));
      await page.keyboard.press("k");
      await eventually("the pause", () => look(page, (seen) => seen.paused));
      const viewer = await signIn(house.url, VIEWER.name, VIEWER.password);
      await eventually("the position to be kept", async () => {
        const { json } = await viewer("GET", `/titles/${lantern.id}`);
        return json.progress?.position_s > 59;
      });
      await page.close();

      // Coming back: the film goes on where it was left.
      const again = await page.context().newPage();
      await again.goto(`${house.url}/watch/${lantern.id}`);
      await again.locator("video").waitFor();
      await eventually("the film to go on at its place", () => look(again, (seen) => seen.time > 59 && seen.frames > 5));

      // The other library does not exist for her.
      const { json: seen } = await viewer("GET", "/libraries");
      assert.deepEqual(seen.items.map((l) => l.name), ["Films"]);
      const { json: all } = await viewer("GET", "/titles");
      assert.ok(all.items.every((t) => t.name !== "Secret Garden"));
      assert.deepEqual(problems, []);
      await again.context().close();
    });

    test("the bytes a browser gets are the bytes of the file", async () => {
      const viewer = await signIn(house.url, VIEWER.name, VIEWER.password);
      const { json: play } = await viewer("POST", `/titles/${lantern.id}/play`, {});
      const got = Buffer.from(await (await fetch(new URL(play.url, house.url))).arrayBuffer());
      const want = readFileSync(join(films.films, "The Lantern Room (2021).mp4"));
      const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
      assert.equal(hash(got), hash(want));
    });

    test("a film no browser takes as it is plays in segments, and goes on when its loge is killed", async () => {
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
      const problems = watchForProblems(page, house.url);
      await enter(page, house.url);
      const viewer = await signIn(house.url, VIEWER.name, VIEWER.password);
      const { json } = await viewer("GET", "/titles?playability=remux");
      assert.deepEqual(json.items.map((t) => t.name), ["Moss and Mirrors"]);
      const film = json.items[0];
      await page.goto(`${house.url}/watch/${film.id}`);
      await page.locator("video").waitFor();
      await eventually("a moving picture", () => look(page, (seen) => seen.frames > 10 && seen.time > 0.4));
      const { json: streams } = await owner("GET", "/admin/streams");
      assert.equal(streams.items.find((s) => s.title_id === film.id).method, "remux");
      const heard = await page.evaluate(() => document.querySelector("video").webkitAudioDecodedByteCount);
      assert.ok(heard > 0, "the sound is decoded");

      // Dragging about: every place comes, none is fatal.
      for (let n = 0; n < 20; n += 1) {
        const to = (n * 37) % 85;
        await page.evaluate((at) => {
          document.querySelector("video").currentTime = at;
        }, to);
        if (n % 4 === 3) await eventually(`the picture at ${to} s`, () => look(page, (seen) => !seen.seeking && seen.time >= to && seen.ready >= 2));
      }
      await eventually("it to move on", () => look(page, (seen) => !seen.seeking && !seen.paused && seen.ready >= 3));

      // The other sound, without another player.
      await page.keyboard.press("o");
      await page.getByTestId("sound").selectOption({ label: "English · mono" });
      await page.keyboard.press("Escape");
      const at = (await look(page, () => true)).time;
      await eventually("it to go on with the other sound", () => look(page, (seen) => seen.time > at + 0.5));

      // Somebody kills the worker: nobody presses anything.
      const before = await look(page, () => true);
      killWorkers(house.data, runtime);
      await page.evaluate(() => {
        document.querySelector("video").currentTime = 20;
      });
      await eventually("the picture to go on by itself", () => look(page, (seen) => seen.time > 20.5 && seen.time < 60 && !seen.seeking && seen.frames > 0));
      assert.ok(before.time >= 0);
      assert.deepEqual(problems.filter((p) => !p.includes("Failed to load")), []);
      await page.context().close();
      await eventually("no film program to run on", () => mediaPrograms() === 0);
    });

    test("subtitles show, from inside a film and from beside one, and small pictures along the bar", async () => {
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
      const problems = watchForProblems(page, house.url);
      await enter(page, house.url);
      const viewer = await signIn(house.url, VIEWER.name, VIEWER.password);
      const { json } = await viewer("GET", "/titles?playability=remux");
      // The pages before were closed so suddenly that they could not say so; how many films one may have is not what this is about.
      assert.equal((await owner("PATCH", "/admin/settings", { max_streams_per_person: 20 })).status, 200);

      // Beside a film that plays as it is; written for Windows, and with something that is no word.
      await page.goto(`${house.url}/watch/${lantern.id}?from=20`);
      await eventually("a moving picture", () => look(page, (seen) => seen.frames > 5 && seen.time > 20.2));
      assert.deepEqual(await cues(page), [], "nobody asked for words");
      await page.keyboard.press("c");
      const shown = await eventually("the words beside the film", async () => (await cues(page))[0]);
      assert.match(shown.text, /^Café \d+ &lt;script&gt;alert\(1\)&lt;\/script&gt;$/);
      assert.ok(shown.text.includes(`Café ${Math.floor(shown.start)} `), "the words of this second");
      await page.keyboard.press("c");
      await eventually("the words to go", async () => (await cues(page)).length === 0);
      assert.equal(await page.evaluate(() => document.querySelectorAll("track").length), 0);

      // Along the bar, small pictures.
      const bar = await page.getByRole("slider", { name: "Place in the film" }).boundingBox();
      const sheet = page.waitForResponse((response) => /\/storyboard\/\d+\.jpg$/.test(response.url()));
      await page.mouse.move(bar.x + bar.width / 2, bar.y + bar.height / 2);
      assert.equal((await sheet).headers()["content-type"], "image/jpeg");
      const tile = await page.getByTestId("tile").boundingBox();
      assert.ok(tile.width === 240 && Math.abs(tile.x + tile.width / 2 - (bar.x + bar.width / 2)) < 8, JSON.stringify(tile));
      await page.mouse.move(bar.x + 2, bar.y + bar.height / 2);
      assert.ok((await page.getByTestId("tile").boundingBox()).x >= 0, "it stays in the picture");

      // Inside a film that comes in segments.
      await page.goto(`${house.url}/watch/${json.items[0].id}?from=30`);
      await eventually("a moving picture", () => look(page, (seen) => seen.frames > 5 && seen.time > 30.2));
      await page.mouse.move(600, 400);
      await page.getByTestId("subtitles").selectOption({ label: "Deutsch" });
      const inside = await eventually("the words inside the film", async () => (await cues(page))[0]);
      assert.equal(inside.text, `Zeile <i>${Math.round(inside.start)}</i>`);
      await page.evaluate(() => {
        document.querySelector("video").currentTime = 60;
      });
      await eventually("the words after a seek", async () => (await cues(page))[0]?.start >= 60);

      // The next film begins with what was chosen in this one.
      await page.goto(`${house.url}/watch/${json.items[0].id}?from=10`);
      await eventually("the words by habit", async () => (await cues(page))[0]?.text.startsWith("Zeile"));
      assert.deepEqual(problems, []);
      await page.context().close();
    });

    test("a film no browser plays says so in words, is prepared, and plays", async () => {
      // Nothing is made while somebody watches, and whoever closes a page is believed to be there for a while.
      const { json: streams } = await owner("GET", "/admin/streams");
      for (const stream of streams.items) await owner("DELETE", `/admin/streams/${stream.play_id}`);
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
      const problems = watchForProblems(page, house.url);
      await enter(page, house.url);
      const viewer = await signIn(house.url, VIEWER.name, VIEWER.password);
      const { json } = await viewer("GET", "/titles?playability=needs_preparing");
      const film = json.items[0];
      await page.goto(`${house.url}/watch/${film.id}`);
      await page.getByText(/needs preparing/i).first().waitFor();
      await page.getByRole("link", { name: "Prepare it" }).click();
      await page.getByRole("button", { name: "Prepare now" }).click();
      await page.getByText("Prepared: 720p").waitFor({ timeout: 60_000 });
      const { json: list } = await owner("GET", "/admin/renditions");
      assert.deepEqual(list.items.map((v) => [v.title_id, v.quality, v.state]), [[film.id, "720p", "done"]]);

      await page.getByRole("link", { name: /^play/i }).first().click();
      await page.locator("video").waitFor();
      const seen = await eventually("a moving picture", () => look(page, (seen) => seen.frames > 10 && seen.time > 0.4));
      assert.equal(seen.width, 1280);
      assert.equal((await owner("GET", "/admin/streams")).json.items.find((s) => s.title_id === film.id).method, "rendition");
      await page.evaluate(() => {
        document.querySelector("video").currentTime = 3.2;
      });
      await eventually("the picture after a seek", () => look(page, (seen) => !seen.seeking && seen.time > 3.4));
      assert.ok((await page.evaluate(() => document.querySelector("video").webkitAudioDecodedByteCount)) > 0, "the sound is decoded");
      assert.equal((await viewer("GET", `/titles/${film.id}`)).json.playability, "prepared");
      assert.deepEqual(problems, []);
      await page.context().close();
    });

    test("an episode skips its titles and leads to the next one", async () => {
      const { json: library } = await owner("POST", "/libraries", { name: "Shows", kind: "shows", folders: [films.shows] });
      const { json: users } = await owner("GET", "/admin/users");
      const ana = users.items.find((u) => u.username === VIEWER.name);
      const { json: libraries } = await owner("GET", "/libraries");
      const seen = libraries.items.filter((l) => ["Films", "Shows"].includes(l.name)).map((l) => l.id);
      assert.equal((await owner("PUT", `/admin/users/${ana.id}/grants`, { libraries: seen })).status, 204);
      const parts = await eventually("both episodes", async () => {
        const { json } = await owner("GET", `/titles?library=${library.id}`);
        return json.total === 2 && json.items.every((t) => t.duration_s > 0) ? json.items : null;
      });
      const first = parts.find((t) => t.name.includes("S01E01"));
      const second = parts.find((t) => t.name.includes("S01E02"));

      const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
      const problems = watchForProblems(page, house.url);
      await enter(page, house.url);
      await page.goto(`${house.url}/watch/${first.id}?from=2`);
      await page.getByRole("button", { name: "Skip intro" }).click();
      await eventually("the play itself", () => look(page, (now) => now.time >= 20 && !now.seeking));
      assert.equal(await page.getByRole("button", { name: "Skip intro" }).count(), 0);
      assert.equal(await page.getByTestId("next").count(), 0, "not yet");
      await page.evaluate(() => {
        document.querySelector("video").currentTime = 45;
      });
      await page.getByTestId("next").getByText("The Understudies S01E02").waitFor();
      await page.getByRole("button", { name: "Watch now" }).click();
      await page.waitForURL(`${house.url}/watch/${second.id}`);
      await eventually("the next episode", () => look(page, (now) => now.frames > 5 && now.time > 0.2 && now.time < 15));
      await page.goBack();
      assert.ok(!page.url().includes("/watch/"), "the way back leads out of the player");
      assert.deepEqual(problems, []);
      await page.context().close();
    });

    test("after logout the container is gone", async () => {
      const { json: users } = await owner("GET", "/admin/users");
      const ana = users.items.find((u) => u.username === VIEWER.name);
      const { json: sessions } = await owner("GET", "/admin/sessions");
      for (const session of sessions.items.filter((s) => s.user_id === ana.id)) {
        const ended = await owner("DELETE", `/admin/sessions/${session.id}`);
        assert.equal(ended.status, 204);
      }
      await eventually("the container to go", async () => {
        const { json } = await owner("GET", "/admin/containers");
        const found = json.items.find((c) => c.user_id === ana.id);
        return !found || found.state === "absent";
      });
    });
  });
}

async function enter(page, url) {
  await page.goto(url);
  await page.getByLabel("Name", { exact: true }).fill(VIEWER.name);
  await page.getByLabel("Password", { exact: true }).fill(VIEWER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The Lantern Room").first().waitFor();
}

/** What the player shows, once it satisfies `enough`. */
async function look(page, enough) {
  const seen = await page.evaluate(() => {
    const video = document.querySelector("video");
    return (
      video && {
        time: video.currentTime,
        frames: video.getVideoPlaybackQuality().totalVideoFrames,
        width: video.videoWidth,
        seeking: video.seeking,
        paused: video.paused,
        ready: video.readyState,
      }
    );
  });
  return seen && enough(seen) ? seen : null;
}

/** The words that stand in the picture now. */
const cues = (page) =>
  page.evaluate(() =>
    [...(document.querySelector("video")?.textTracks ?? [])]
      .filter((track) => track.mode === "showing")
      .flatMap((track) => [...(track.activeCues ?? [])].map((cue) => ({ text: cue.text, start: cue.startTime }))),
  );

/** Kills the programs inside the loges of this house, as running out of memory would. */
function killWorkers(data, runtime) {
  for (const { pid, line, environ } of processes()) {
    const inContainer = runtime === "docker" && /^\/loge-worker\b/.test(line);
    const inSandbox = runtime === "process" && /loge-worker/.test(line) && environ.includes(data);
    if (inContainer || inSandbox) process.kill(pid, "SIGKILL");
  }
}

/** ffmpeg processes on this machine that cut or encode for a loge. */
const mediaPrograms = () => processes().filter(({ line }) => /ffmpeg .*frag_keyframe/.test(line)).length;

function processes() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ pid: Number(pid), line: read(`/proc/${pid}/cmdline`), environ: read(`/proc/${pid}/environ`) }));
}

function read(path) {
  try {
    return readFileSync(path, "latin1").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Errors in the page, and requests that leave the house. Filled while the page lives. */
function watchForProblems(page, url) {
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A refused call is logged by the browser itself; the page handles it.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) problems.push(`left the house: ${request.url()}`);
  });
  return problems;
}
