// `npm run screenshots`: the pictures of the README and the guides, taken of the real house with
// the sample films, so that they show what the program does and nothing else.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { eventually, openBrowser, openHouse, signIn } from "../tests/browser/support/house.mjs";
import { buildEverything, buildSandboxed } from "./lib/cargo.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { root } from "./lib/paths.mjs";
import { main, say } from "./lib/say.mjs";
import { openTestHouse } from "./lib/test-house.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";

const OWNER = { username: "Olga", password: "a long night at the opera" };
const VIEWERS = ["Ana", "Ben", "Jonas"];
const PASSWORD = "curtain up at eight";
const images = join(root, "docs/images");

await main(async () => {
  mkdirSync(images, { recursive: true });
  if (process.env.LOGE_SERVER) return takeFrom(process.env); // programs that are built already
  ensureToolchain();
  await ensurePackages(["build", "media", "docker", "test"]);
  await ensureNodeModules();
  await buildUi();
  const programs = { ...(await buildSandboxed({ release: false })), ...(await buildEverything()), desktop: null };
  const tests = await openTestHouse(programs);
  try {
    return await takeFrom(tests.env);
  } finally {
    await tests.close();
  }
});

async function takeFrom(env) {
  Object.assign(process.env, env);
  const house = await openHouse(env.DOCKER_HOST && env.LOGE_WORKER_IMAGE ? "docker" : "process");
  const browser = await openBrowser();
  try {
    await takeAll(house, browser, env.LOGE_TEST_MEDIA);
  } finally {
    await browser.close();
    await house.close();
  }
  return 0;
}

async function takeAll(house, browser, media) {
  const first = await open(browser);
  await first.goto(house.url);
  await first.getByLabel("Setup code").waitFor();
  await shoot(first, "first-run");

  const claimed = await fetch(`${house.url}/api/v1/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: house.setupCode, server_name: "Lindenhof", ...OWNER }),
  });
  if (claimed.status !== 201) throw new Error(`setup: ${claimed.status} ${await claimed.text()}`);
  const owner = await signIn(house.url, OWNER.username, OWNER.password);
  if (process.env.LOGE_TEST_ALLOW_REDUCED === "1") await owner("PATCH", "/admin/settings", { allow_reduced_isolation: true });
  const libraries = [];
  for (const [name, kind, folder] of [["Films", "movies", "films"], ["Series", "shows", "shows"]]) {
    const made = await owner("POST", "/libraries", { name, kind, folders: [join(media, folder)] });
    libraries.push(made.json.id);
  }
  await eventually("scans and pictures", async () => {
    const { json } = await owner("GET", "/admin/jobs");
    return json.items.length > 1 && json.items.every((job) => ["done", "failed"].includes(job.state));
  }, 300_000);
  for (const username of VIEWERS) {
    const made = await owner("POST", "/admin/users", { username, password: PASSWORD, role: "viewer" });
    await owner("PUT", `/admin/users/${made.json.id}/grants`, { libraries });
  }

  // Three people watch, so that the theatre has something to show.
  const { json: playable } = await owner("GET", "/titles?playability=direct&sort=duration&order=desc");
  const watching = [];
  for (const [at, username] of VIEWERS.entries()) {
    const page = await open(browser);
    await enter(page, house.url, username, PASSWORD);
    if (at === 0) await shoot(page, "home");
    await page.goto(`${house.url}/title/${playable.items[at].id}`);
    await page.getByText(playable.items[at].name).first().waitFor();
    if (at === 0) await shoot(page, "title");
    await page.goto(`${house.url}/watch/${playable.items[at].id}`);
    await eventually("a moving picture", () => page.evaluate(() => (document.querySelector("video")?.currentTime ?? 0) > 1));
    watching.push(page);
  }
  await watching[0].mouse.move(700, 700);
  await shoot(watching[0], "player", { settle: false });

  const desk = await open(browser);
  await enter(desk, house.url, OWNER.username, OWNER.password);
  for (const [name, path] of [["dashboard", "/admin"], ["containers", "/admin/containers"], ["users", "/admin/users"], ["libraries", "/admin/libraries"]]) {
    await desk.goto(`${house.url}${path}`);
    await desk.getByText("Ana").or(desk.getByText("Films")).first().waitFor();
    if (name === "dashboard") {
      // The lines need a few samples to be lines.
      await eventually("some history", async () => (await owner("GET", "/admin/vitals?range=live")).json.history.points.length > 20);
    }
    await shoot(desk, name);
  }
  const phone = await open(browser, { width: 390, height: 844 });
  await enter(phone, house.url, OWNER.username, OWNER.password);
  await phone.goto(`${house.url}/admin`);
  await phone.getByText("Ana").first().waitFor();
  await shoot(phone, "dashboard-phone");
}

async function open(browser, viewport = { width: 1440, height: 900 }) {
  const context = await browser.newContext({ viewport, colorScheme: "dark" });
  return context.newPage();
}

async function enter(page, url, name, password) {
  await page.goto(`${url}/signin`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((address) => !address.pathname.startsWith("/signin"));
  await page.locator("img").first().waitFor();
}

async function shoot(page, name, { settle = true } = {}) {
  if (settle) await page.waitForLoadState("networkidle", { timeout: 5000 }).catch(() => {}); // the live connection never idles
  // Only pictures in sight: the others are lazy and would be waited for without end.
  await page.waitForFunction(() =>
    [...document.images].every((image) => {
      const { top, bottom, left, right } = image.getBoundingClientRect();
      const isOut = bottom <= 0 || top >= innerHeight || right <= 0 || left >= innerWidth;
      // Posters fade in once they are there.
      return isOut || (image.complete && (getComputedStyle(image).opacity === "1" || image.matches(".glow")));
    }),
  );
  await page.screenshot({ path: join(images, `${name}.png`) });
  say(`docs/images/${name}.png`);
}
