// An evening at a house in containers: the owner comes, adds the films, and two of them are watched
// in Chromium, one as it is and one in segments.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { eventually } from "../../browser/support/house.mjs";
import { chromiumPage, look, open, seek } from "../../browser/support/matrix.mjs";

const OWNER = { username: "ana", password: "a seat in the first row 7" };

/** A film every browser takes, and one that none takes in that wrapping. */
export function makeFilms(folder) {
  const make = (name, out) => {
    const pictures = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=24", "-f", "lavfi", "-i", "sine=frequency=220", "-t", "60"];
    const done = spawnSync("ffmpeg", ["-nostdin", "-v", "error", ...pictures, ..."-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 48".split(" "), ...out.split(" "), join(folder, name)]);
    assert.equal(done.status, 0, String(done.stderr));
  };
  make("Harbour Lights (2018).mp4", "-c:a aac -movflags +faststart");
  make("Moss and Mirrors (2016).mkv", "-c:a ac3");
}

/** The API as the owner. `way` asks one path: `(path, { method, headers, body })` → `{ status, text }`. */
export function ownerOf(way) {
  let token;
  const ask = async (method, path, body) => {
    const { status, text } = await way(`/api/v1${path}`, { method, body, headers: token ? { authorization: `Bearer ${token}` } : {} });
    assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  const enter = async (path, body) => {
    token = undefined;
    token = (await ask("POST", path, { ...body, ...OWNER })).access_token;
  };
  return { ask, claim: (code) => enter("/setup", { code }), signIn: () => enter("/auth/login", {}) };
}

/** Adds the films, and waits until both are known: `{ direct, segments }`. */
export async function furnish(owner, folder) {
  await owner.ask("POST", "/libraries", { name: "Films", kind: "movies", folders: [folder] });
  return eventually("both films", async () => {
    const { items } = await owner.ask("GET", "/titles");
    const by = (playability) => items.find((one) => one.playability === playability);
    return by("direct") && by("remux") ? { direct: by("direct"), segments: by("remux") } : null;
  });
}

/** Signs in by the form, as people do. */
export async function enter(browser, url, titles, more) {
  const page = await chromiumPage(browser, undefined, more);
  await page.goto(url);
  await page.raw.getByLabel("Name", { exact: true }).fill(OWNER.username);
  await page.raw.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await page.raw.getByRole("button", { name: "Sign in" }).click();
  await page.raw.getByText(titles.direct.name).first().waitFor();
  return page;
}

/** Watches a bit of both films, and of another place in each. */
export async function watchBoth(page, url, titles) {
  for (const [title, status, part] of [[titles.direct, 206, /\/stream\/[^/]+\/file$/], [titles.segments, 200, /\/stream\/[^/]+\/[^/]+\/[^/]+$/]]) {
    let came = 0;
    const note = (answer) => {
      if (answer.status() === status && part.test(new URL(answer.url()).pathname) && !answer.url().endsWith(".m3u8")) came += 1;
    };
    page.raw.on("response", note);
    const begun = await open(page, url, title);
    assert.equal(begun.curtain, null, `${title.name}: ${begun.curtain}: ${begun.why}`);
    await seek(page, 40);
    await look(page, `${title.name} at another place`, (seen) => !seen.seeking && seen.time >= 40.5 && seen.ready >= 3);
    page.raw.off("response", note);
    assert.ok(came > 0, `${title.name} came neither by ranges nor in segments`);
  }
}
