// Every page and dialog of both halves of the real server with real data, at the size of a phone,
// a tablet and a desk, dark and light. What each has to hold is in support/page-checks.mjs, what
// there is to see in support/page-tour.mjs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, openBrowser, openHouse, signIn } from "./support/house.mjs";
import { axe, contrastOnPictures, geometry, watchConsole } from "./support/page-checks.mjs";
import * as tour from "./support/page-tour.mjs";

const SIZES = [
  { width: 360, height: 740 },
  { width: 820, height: 1100 },
  { width: 1440, height: 900 },
];
const THEMES = ["dark", "light"];
const OWNER = { name: "Olga", password: "a long night at the opera" };
const ANA = { name: "Ana", password: "curtain up at eight" };
/** Names as German households have them: they must break, not burst. */
const LONG = { name: "Großtante Friederike-Wilhelmine von Hohenlohe-Langenburg", password: "curtain up at nine" };
const LONG_FILM = "Die Donaudampfschifffahrtsgesellschaftskapitänswitwe und der Rindfleischetikettierungsüberwachungsbeauftragte (2011).mp4";
/** Where to leave a picture of every state; for looking at them, not for the test. */
const SHOTS = process.env.LOGE_PAGE_SHOTS;
/** For slow machines; nothing that is tested depends on it. */
const PATIENCE_MS = 20_000;
const UI = fileURLToPath(new URL("../../ui/src", import.meta.url));

let browser;
let decoder;
let house;
let media;
before(async () => {
  if (SHOTS) mkdirSync(SHOTS, { recursive: true });
  media = makeMedia();
  browser = await openBrowser();
  decoder = await (await browser.newContext()).newPage();
  house = await openHouse("process");
});
after(async () => {
  await browser?.close();
  await house?.close();
  media?.remove();
});

/** Opens the states one after the other on one page and answers everything that is wrong with them. */
async function walk(page, states) {
  const watch = watchConsole(page, house.url);
  const wrong = [];
  for (const state of states) {
    watch.expected = state.expects ?? [];
    const found = new Map();
    const note = (where, findings) => {
      for (const finding of findings) found.set(finding, [...(found.get(finding) ?? []), where]);
    };
    try {
      await page.setViewportSize(SIZES[0]);
      if (state.path) await page.goto(house.url + state.path);
      if (state.open) await state.open(page);
      await state.ready(page).waitFor();
      for (const size of SIZES) {
        await page.setViewportSize(size);
        for (const theme of THEMES) {
          await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
          await settle(page, theme);
          const where = `${size.width} ${theme}`;
          note(where, await axe(page, { colours: theme !== THEMES[0] }));
          if (theme === THEMES[0]) note(where, await geometry(page));
          note(where, await contrastOnPictures(page, decoder));
          if (SHOTS) await page.screenshot({ path: join(SHOTS, `${state.name.replaceAll(/[^a-z0-9]+/gi, "-")}-${size.width}-${theme}.png`) });
        }
      }
      if (state.leave) await state.leave(page);
    } catch (error) {
      note("everywhere", [`cannot be looked at: ${error.message.split("\n").slice(0, 3).join(" ")}`]);
    }
    note("at some time", watch.findings.splice(0));
    for (const [finding, places] of found) wrong.push(`${state.name}: ${finding} [${places.join(", ")}]`);
  }
  return wrong;
}

/** Fonts and pictures in sight are there, nothing is on its way, and the theme has arrived. */
async function settle(page, theme) {
  await page.waitForFunction(
    (theme) =>
      document.documentElement.dataset.theme === theme &&
      document.fonts.status === "loaded" &&
      !document.querySelector("[aria-busy=true]") &&
      [...document.images].every((image) => {
        const { top, bottom } = image.getBoundingClientRect();
        return image.complete || bottom <= 0 || top >= innerHeight;
      }),
    theme,
  );
  // Colours change over in steps, however short.
  await page.evaluate(async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const ends = document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Number.POSITIVE_INFINITY);
    await Promise.allSettled(ends.map((one) => one.finished));
  });
}

const visitor = async () => {
  const context = await browser.newContext({ viewport: SIZES[0], hasTouch: true, reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE_MS);
  return context.newPage();
};
const enter = async (page, { name, password }) => {
  await page.goto(`${house.url}/signin`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((address) => address.pathname === "/");
};

describe("every page and dialog", { concurrency: false }, () => {
  let api;
  let facts;

  test("of the first visit", async () => {
    const page = await visitor();
    assert.deepEqual(await walk(page, tour.firstRun({ setupCode: house.setupCode, owner: OWNER, media: media.films })), []);
    await page.context().close();
    api = await signIn(house.url, OWNER.name, OWNER.password);
  });

  test("has something real to show", async () => {
    facts = await furnish(api);
  });

  test("of somebody who is not signed in", async () => {
    const page = await visitor();
    assert.deepEqual(await walk(page, tour.anonymous(facts)), []);
    await page.context().close();
  });

  test("of a viewer, and of the owner while one watches", async () => {
    const page = await visitor();
    await enter(page, ANA);
    const wrong = await walk(page, [...tour.viewer(facts), ...tour.player(facts)]);
    // She stays signed in, so that the owner's half has a viewer to show.
    const desk = await visitor();
    await enter(desk, OWNER);
    wrong.push(...(await walk(desk, tour.owner(facts))));
    assert.deepEqual(wrong, []);
    await desk.context().close();
    await page.context().close();
  });

  test("is in the table", () => {
    const all = [...tour.firstRun({ owner: OWNER }), ...tour.anonymous({}), ...tour.viewer({ titles: { one: "" } }), ...tour.player({}), ...tour.owner({})];
    const routes = [...readFileSync(join(UI, "app/routes.ts"), "utf8").matchAll(/pattern: "([^"]+)"/g)].map(([, pattern]) => pattern);
    assert.deepEqual(routes.filter((route) => !all.some((state) => state.route === route)), []);
    // The menu and the panels of the player are dialogs too; kit holds what they are made of.
    const dialogs = readdirSync(UI, { recursive: true })
      .filter((file) => file.endsWith(".svelte") && !file.startsWith("kit"))
      .filter((file) => /<(Dialog|Sheet|Confirm|Menu|Panel)[ >\n]/.test(readFileSync(join(UI, file), "utf8")))
      .map((file) => file.replace(/\.svelte$/, "").replaceAll("\\", "/"));
    const shown = all.map((state) => state.shows).filter(Boolean);
    assert.deepEqual(dialogs.filter((dialog) => !shown.includes(dialog)), []);
  });

  test("and each check can fail", async () => {
    const page = await visitor();
    const watch = watchConsole(page, house.url);
    await page.goto(`${house.url}/signin`);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await settle(page, "light");
    const looked = async () => [...(await axe(page)), ...(await geometry(page)), ...(await contrastOnPictures(page, decoder)), ...watch.findings.splice(0)];
    assert.deepEqual(await looked(), [], "the page as it is has nothing wrong with it");
    await page.evaluate(() => {
      const faulty = document.createElement("div");
      faulty.innerHTML = `<button style="width:40px;height:40px"></button>
        <a href="/account" style="display:block;width:16px;height:16px;overflow:hidden">tiny</a>
        <input aria-label="small letters" style="font-size:13px">
        <p style="width:2000px">wide</p>
        <p style="color:#999;background:linear-gradient(#aaa,#bbb);padding:9px">grey on grey</p>
        <p style="color:#999;background:#aaa">grey on grey, without a picture</p>`;
      faulty.querySelector("input").style.setProperty("font-size", "13px", "important");
      document.body.prepend(faulty);
      console.error("something broke");
      fetch("/api/v1/me").catch(() => {});
    });
    await eventually("the refusal on the console", () => watch.findings.some((text) => /401/.test(text)));
    const found = await looked();
    for (const expected of [/axe button-name/, /axe color-contrast/, /target of 16 px/, /letters of 13 px/, /wider than the window/, /contrast \d\.\d+ of 4\.5 on a picture: “grey on grey”/, /something broke/, /status of 401/]) {
      assert.ok(found.some((text) => expected.test(text)), `${expected} is not among\n${found.join("\n")}`);
    }
    await page.evaluate(() => {
      const dialog = document.createElement("div");
      dialog.innerHTML = '<div role="dialog" style="width:200px;overflow:auto"><div style="width:300px">x</div></div>';
      document.body.prepend(dialog);
    });
    const inDialog = [...(await axe(page)), ...(await geometry(page))];
    for (const expected of [/axe aria-dialog-name/, /scrolled 100 px sideways/]) assert.ok(inDialog.some((text) => expected.test(text)), `${expected} is not among\n${inDialog.join("\n")}`);
    await page.context().close();
  });
});

/** Films, people, rights, progress, jobs, an offline disk, invitations: a server as it is after some days. */
async function furnish(api) {
  const must = async (method, path, body) => {
    const answer = await api(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.json)}`);
    return answer.json;
  };
  const films = await must("POST", "/libraries", { name: "Films", kind: "movies", folders: [media.films] });
  const away = await must("POST", "/libraries", { name: "Wohnzimmerfestplattenaufnahmen", kind: "home", folders: [media.away] });
  await must("POST", "/libraries", { name: "Noch leer", kind: "shows", folders: [media.empty] });
  const titles = await eventually(
    "titles with posters",
    async () => {
      const { json: jobs } = await api("GET", "/admin/jobs");
      const { json } = await api("GET", "/titles?limit=100");
      return json.total >= media.count && jobs.items.every((job) => ["done", "failed"].includes(job.state)) ? json.items : null;
    },
    180_000,
  );
  const named = (part) => titles.find((one) => one.name.includes(part)) ?? assert.fail(`no title ${part} among ${titles.map((one) => one.name).join(", ")}`);
  renameSync(media.away, `${media.away}.gone`);
  await must("POST", `/libraries/${away.id}/scan`);
  await eventually("the disk to be away", async () => (await api("GET", "/libraries")).json.items.find((one) => one.id === away.id).state === "offline");

  const people = {};
  for (const who of [ANA, LONG]) {
    const made = await must("POST", "/admin/users", { username: who.name, password: who.password, role: "viewer" });
    people[who.name] = made.id;
    await must("PUT", `/admin/users/${made.id}/grants`, { libraries: [films.id, away.id] });
  }
  await must("PATCH", `/admin/users/${people[LONG.name]}`, { disabled: true });
  const ana = await signIn(house.url, ANA.name, ANA.password);
  const started = await ana("PUT", `/titles/${named("Snow").id}/progress`, { event: "pause", position_s: 12 });
  assert.ok(started.status < 300, `progress: ${started.status}`);
  const invite = await must("POST", "/admin/invites", { libraries: [films.id], expires_in_s: 7 * 86_400 });
  const withdrawn = await must("POST", "/admin/invites", { libraries: [], expires_in_s: 86_400 });
  await must("DELETE", `/admin/invites/${withdrawn.id}`);
  // One version that is made ahead of time, done before anybody watches.
  const old = named("Old Reel");
  await must("POST", `/titles/${old.id}/prepare`, {});
  await eventually("a prepared version", async () => (await api("GET", "/admin/renditions")).json.items.some((one) => one.state === "done"), 180_000);
  const address = ({ url }) => {
    const { pathname, search, hash } = new URL(url, house.url);
    return pathname + search + hash;
  };
  return {
    invite: address(invite),
    ended: address(withdrawn),
    library: films.id,
    offline: away.name,
    user: people[ANA.name],
    watching: ANA.name,
    title: named("Snow").id,
    titles: {
      bright: named("Snow").id,
      dark: named("Night").id,
      "a long name": named("Donaudampf").id,
      "needs preparing": old.id,
      damaged: named("Broken").id,
    },
  };
}

/** Small films: snow and night, so that letters have to hold on both; one in an old form; one that is none; one with a long name; one on a disk that goes away. */
function makeMedia() {
  const root = mkdtempSync(join(tmpdir(), "loge-bp-"));
  const at = (name) => {
    mkdirSync(join(root, name));
    chmodSync(join(root, name), 0o755);
    return join(root, name);
  };
  chmodSync(root, 0o755);
  const [films, away, empty] = [at("films"), at("away"), at("empty")];
  const chapters = join(root, "chapters");
  writeFileSync(chapters, ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=10\ntitle=Der erste Schnee\n[CHAPTER]\nTIMEBASE=1/1\nSTART=10\nEND=20\ntitle=Tauwetter\n");
  const make = (path, picture, codecs) => {
    const done = spawnSync("ffmpeg", ["-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=frequency=220", "-i", chapters, "-map_metadata", "2", "-t", "20", ...codecs.split(" "), "-shortest", path], { stdio: ["ignore", "inherit", "inherit"] });
    if (done.status !== 0) throw new Error(`ffmpeg could not make ${path}`);
  };
  const h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 24 -c:a aac -movflags +faststart";
  make(join(films, "Snow (2022).mp4"), "color=c=white:s=640x360:r=12", h264);
  make(join(films, "Night (2017).mp4"), "color=c=black:s=640x360:r=12", h264);
  make(join(films, LONG_FILM), "testsrc2=s=640x360:r=12", h264);
  make(join(films, "Old Reel (1998).avi"), "testsrc2=s=320x240:r=12", "-c:v mpeg4 -q:v 9 -c:a libmp3lame");
  writeFileSync(join(films, "Broken (2001).mp4"), "this is no film");
  make(join(away, "Geburtstag.mp4"), "testsrc=s=320x180:r=12", h264);
  for (const file of readdirSync(root, { recursive: true })) if (/\.\w+$/.test(file)) chmodSync(join(root, file), 0o644);
  return { films, away, empty, count: 6, remove: () => rmSync(root, { recursive: true, force: true }) };
}
