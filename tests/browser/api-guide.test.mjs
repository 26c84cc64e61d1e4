// Every example of docs/guide/api.md, in each of its languages, against a real house; and what the
// page says besides them, where a house can be asked.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/paths.mjs";
import { gaps, languages, matches, readGuide, runBlock } from "./support/guide.mjs";
import { claim, eventually, openHouse, signIn } from "./support/house.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
const page = readFileSync(join(root, "docs/guide/api.md"), "utf8");
const guide = readGuide(page);

let house;
let owner;
let folders;
let env;
/** Bytes of the film that the examples fetch. */
let harbour;

before(async () => {
  folders = makeFolders();
  harbour = readFileSync(join(folders.films, "Harbour Lights (2018).mp4"));
  house = await openHouse("process");
  await claim(house, OWNER);
  owner = await signIn(house.url, OWNER.name, OWNER.password);
  const made = await owner("POST", "/libraries", { name: "Films", kind: "movies", folders: [folders.films] });
  assert.equal(made.status, 201, made.text);
  await eventually("three films that were looked into", async () => {
    const { json } = await owner("GET", "/titles");
    return json.total === 3 && json.items.every((one) => one.playability !== "unknown") && (await quiet());
  });
  const asked = await fetch(`${house.url}/api/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: OWNER.name, password: OWNER.password }),
  });
  const { access_token } = await asked.json();
  env = {
    LOGE_URL: house.url,
    LOGE_USER: OWNER.name,
    LOGE_PASSWORD: OWNER.password,
    LOGE_TOKEN: access_token,
    LOGE_FILM: "Harbour Lights",
    LOGE_LIBRARY: "Films",
    LOGE_FOLDER: folders.evenings,
    LOGE_OUT: folders.out,
  };
});
after(async () => {
  await house?.close();
  if (folders) rmSync(folders.root, { recursive: true, force: true });
});

/** What is set for a topic alone, what is done before each of its examples, and what holds after it. */
const topics = {
  "sign-in": {
    env: () => ({ LOGE_TOKEN: "" }),
    async proves({ out }) {
      const answer = await fetch(`${house.url}/api/v1/me`, { headers: { authorization: `Bearer ${out.trim()}` } });
      assert.equal((await answer.json()).username, OWNER.name);
      const { json } = await owner("GET", "/me/sessions");
      assert.ok(json.items.some((one) => one.device === "My script"));
    },
  },
  "stay-signed-in": { env: () => ({ LOGE_TOKEN: "" }) },
  titles: { env: () => ({ LOGE_FILM: "paper moon" }) },
  "play-ranges": {
    async proves({ out }) {
      const sum = createHash("sha256").update(harbour).digest("hex");
      assert.equal(out, `206, 50000 bytes\n206, ${harbour.length - 50000} bytes\n${sum}\n`);
      assert.ok(readFileSync(join(folders.out, "film")).equals(harbour), "the file that was written is the film");
      await nothingPlays();
    },
  },
  "play-hls": {
    env: () => ({ LOGE_FILM: "Paper Moon" }),
    async proves() {
      const picture = packets("picture.mp4", "v:0");
      assert.equal(picture.length, 12 * 24, "every frame of the film");
      assert.ok(Math.abs(seconds(picture) - 12) < 0.1, `the picture lasts ${seconds(picture)} s`);
      const sound = packets("sound.mp4", "a:0");
      assert.ok(Math.abs(seconds(sound) - 12) < 0.1, `the sound lasts ${seconds(sound)} s`);
      await nothingPlays();
    },
  },
  progress: {
    async proves() {
      const { json } = await owner("GET", "/titles?q=harbour");
      assert.deepEqual(json.items[0].progress, { position_s: json.items[0].duration_s, finished: true });
    },
  },
  users: {
    async proves() {
      const { json } = await owner("GET", "/admin/users");
      assert.deepEqual(json.items.map((one) => one.username), [OWNER.name]);
    },
  },
  libraries: {},
  scan: {
    // A film that the scan has to find.
    prepare: (language) => copyFileSync(join(folders.films, "Tin Roof (2011).mp4"), join(folders.films, `In ${language} (2001).mp4`)),
    async proves({ out }, language) {
      const { json } = await owner("GET", `/titles?q=${language}`);
      assert.deepEqual(json.items.map((one) => one.name), [`In ${language}`]);
      assert.equal(out, `done, titles: ${(await owner("GET", "/titles")).json.total}\n`);
    },
  },
  events: {
    prepare: async () => (topics.events.before = (await scans()).map((job) => job.id)),
    async proves() {
      // The house may scan by itself too, because of the films that came a moment ago.
      const fresh = (await scans()).filter((job) => !topics.events.before.includes(job.id));
      assert.ok(fresh.some((job) => job.state === "done"), "a scan that was not there before is done");
    },
  },
  errors: {},
};

test("each topic has an example in every language, and nothing else is shown", () => {
  assert.deepEqual(gaps(guide), []);
  assert.deepEqual(Object.keys(guide.topics), Object.keys(topics));
});

for (const [name, { blocks, prints }] of Object.entries(guide.topics)) {
  describe(name, { concurrency: false }, () => {
    for (const language of languages) {
      test(`in ${language}`, async () => {
        const topic = topics[name];
        await topic.prepare?.(language);
        const done = await runBlock(guide, language, blocks[language], { ...env, ...topic.env?.() });
        assert.equal(done.code, 0, `${done.err}\n${done.out}`);
        assert.equal(done.err, "");
        assert.ok(matches(prints, done.out), `it prints:\n${done.out}`);
        await topic.proves?.(done, language);
      });
    }
  });
}

describe("the control", { concurrency: false }, () => {
  for (const language of languages) {
    test(`an altered example in ${language} is noticed`, async () => {
      const run = (from, to) => {
        const text = guide.topics["play-ranges"].blocks[language];
        assert.ok(text.includes(from), `${from} is in the example`);
        return runBlock(guide, language, text.replace(from, to), env);
      };
      const shifted = await run("50000-", "50001-");
      assert.equal(shifted.code, 0, shifted.err);
      await assert.rejects(topics["play-ranges"].proves(shifted));
      // An address that is none, a field that no call knows, a part that the film has not.
      for (const [from, to] of [["/titles?q=", "/title?q="], ["position_s", "position"], ["50000-", "999999999-"]]) {
        const done = await run(from, to);
        assert.notEqual(done.code, 0, `${to} in place of ${from}: ${done.out}`);
      }
      // Those that failed in the middle gave nothing back.
      for (const { play_id } of await streams()) await owner("DELETE", `/admin/streams/${play_id}`);
    });
  }

  test("a page with less in it is noticed", () => {
    const without = (text) => readGuide(page.replace(text, ""));
    assert.deepEqual(gaps(without(/<!-- run: scan -->\n```python.*?^```$/ms)), ["scan in python"]);
    assert.deepEqual(gaps(without(/<!-- run: prologue -->\n```js.*?^```$/ms)), ["the prologue in js"]);
    assert.deepEqual(gaps(without(/<!-- prints: users -->\n```text.*?^```$/ms)), ["what users prints"]);
    assert.throws(() => without("<!-- run: users -->"), /without a mark/);
    assert.throws(() => readGuide("<!-- run: a -->\n<!-- run: b -->\n"), /nothing follows/);
    assert.ok(matches("a …\nb\n", "a 1 2\nb\n"));
    for (const other of ["a 1\nb", "a 1\nb\nc\n", "a \nb\n", "a 1\n2\nb\n"]) assert.ok(!matches("a …\nb\n", other), other);
  });
});

describe("what the page says is so", { concurrency: false }, () => {
  test("all codes are in the table, with their status", () => {
    const source = readFileSync(join(root, "crates/domain/src/failure.rs"), "utf8");
    const status = Object.fromEntries([...source.matchAll(/Self::(\w+) => (\d{3}),/g)].map(([, kind, number]) => [kind, number]));
    const known = [...source.matchAll(/^ {4}\w+ = "(\w+)", (\w+), "/gm)].map(([, code, kind]) => `${status[kind]} ${code}`);
    const told = [...page.matchAll(/^\| (\d{3}) \|[^|]*\|(.*)\|$/gm)].flatMap(([, number, codes]) => codes.match(/\w+/g).map((code) => `${number} ${code}`));
    assert.ok(known.length > 40);
    assert.deepEqual(told.sort(), known.sort());
  });

  test("a refusal is a problem with an id, and says how long to wait", async () => {
    const attempt = () => post("/auth/login", { username: "nobody of this name", password: "wrong" });
    const answers = [];
    for (let n = 0; n < 6; n += 1) answers.push(await attempt());
    assert.deepEqual(answers.map((one) => one.status), [401, 401, 401, 401, 401, 429]);
    const last = answers.at(-1);
    const problem = await last.json();
    assert.equal(last.headers.get("content-type"), "application/problem+json");
    assert.equal(last.headers.get("x-request-id"), problem.request_id);
    assert.equal(Number(last.headers.get("retry-after")), Math.ceil(problem.retry_after_ms / 1000));
    const [, shown] = /```json\n(.*?)```/s.exec(page);
    assert.deepEqual(Object.keys(problem), Object.keys(JSON.parse(shown)));
    assert.equal(problem.code, JSON.parse(shown).code);
    assert.equal(problem.detail, JSON.parse(shown).detail);
  });

  test("cookies go where the page says, and open what it says", async () => {
    const answer = await post("/auth/login", { username: OWNER.name, password: OWNER.password });
    const cookies = answer.headers.getSetCookie();
    assert.deepEqual(cookies.map((one) => one.split("=")[0]), ["loge_refresh", "loge_view"]);
    assert.deepEqual(cookies.map((one) => /Path=([^;]+)/.exec(one)[1]), ["/api/v1/auth", "/api"]);
    for (const one of cookies) assert.match(one, /; HttpOnly; SameSite=Strict; .*Max-Age=1209600$/);
    const cookie = cookies.map((one) => one.split(";")[0]).join("; ");
    const status = async (path) => (await fetch(house.url + path, { headers: { cookie } })).status;
    assert.deepEqual([await status("/api/openapi.json"), await status("/api/v1/me")], [200, 401]);
  });

  test("a cookie that is bound to a device is worth nothing without its secret", async () => {
    const secret = Buffer.alloc(32, 7).toString("base64url");
    const begun = await post("/auth/login", { username: OWNER.name, password: OWNER.password }, { "loge-device": secret });
    const cookie = begun.headers.getSetCookie()[0].split(";")[0];
    assert.equal((await post("/auth/refresh", null, { cookie, "loge-device": secret })).status, 200);
    // The one before the newest, as after a crash: the device may, a thief may not.
    assert.equal((await post("/auth/refresh", null, { cookie, "loge-device": secret })).status, 200);
    assert.equal((await (await post("/auth/refresh", null, { cookie })).json()).code, "session_ended");
    assert.equal((await (await post("/auth/refresh", null, { cookie, "loge-device": secret })).json()).code, "session_ended");
    assert.equal((await (await post("/auth/login", {}, { "loge-device": "short" })).json()).code, "bad_request");
  });

  test("a play ends the one before it, and a dead ticket says why", async () => {
    const { json } = await owner("GET", "/titles?q=harbour");
    const path = `/titles/${json.items[0].id}/play`;
    const first = (await owner("POST", path, {})).json;
    const second = (await owner("POST", path, {})).json;
    const dead = await fetch(house.url + first.url);
    assert.deepEqual([dead.status, (await dead.json()).code], [401, "ticket_expired"]);
    assert.equal((await fetch(house.url + second.url, { method: "HEAD" })).status, 200);
    await owner("DELETE", `/admin/streams/${second.play_id}`);
    assert.equal((await (await fetch(house.url + second.url)).json()).code, "stopped_by_owner");
  });

  test("the statuses that are more exact", async () => {
    const of = async (path, how) => {
      const answer = await fetch(house.url + path, how);
      return [answer.status, (await answer.json()).code];
    };
    assert.deepEqual(await of("/api/v1/auth/login", { method: "DELETE" }), [405, "method_not_allowed"]);
    assert.deepEqual(await of("/api/v1/auth/login", { method: "POST", body: "a=b" }), [415, "bad_request"]);
    assert.deepEqual(await of(`/api/v1/titles?q=${"x".repeat(9000)}`), [414, "too_large"]);
    assert.deepEqual(await of("/api/v1/auth/login", { method: "POST", headers: { origin: "http://elsewhere.example" } }), [403, "wrong_origin"]);
  });
});

const post = (path, body, headers = {}) =>
  fetch(`${house.url}/api/v1${path}`, {
    method: "POST",
    headers: { ...(body && { "content-type": "application/json" }), ...headers },
    body: body ? JSON.stringify(body) : undefined,
  });

const jobs = async () => (await owner("GET", "/admin/jobs")).json.items;
const scans = async () => (await jobs()).filter((job) => job.kind === "scan");
const quiet = async () => (await jobs()).every((job) => !["queued", "running"].includes(job.state));
const streams = async () => (await owner("GET", "/admin/streams")).json.items;
const nothingPlays = async () => assert.deepEqual(await streams(), [], "the seat was given back");

/** The packets of a file that an example wrote. */
function packets(name, stream) {
  const args = ["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time,duration_time", "-of", "json", join(folders.out, name)];
  const done = spawnSync("ffprobe", args, { encoding: "utf8" });
  assert.equal(`${done.status}${done.stderr}`, "0", `${name} is a film`);
  return JSON.parse(done.stdout).packets;
}

const seconds = (all) => Math.max(...all.map((one) => Number(one.pts_time) + Number(one.duration_time ?? 0))) - Math.min(...all.map((one) => Number(one.pts_time)));

/** Three small films, one of which plays only in segments, and a folder for another library. */
function makeFolders() {
  const folder = mkdtempSync(join(tmpdir(), "loge-bg-"));
  const [films, evenings, out] = ["films", "evenings", "out"].map((name) => join(folder, name));
  for (const one of [films, evenings, out]) mkdirSync(one);
  for (const one of [folder, films, evenings]) chmodSync(one, 0o755);
  const make = (path, length, codecs) => {
    const sources = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24", "-f", "lavfi", "-i", "sine=frequency=220"];
    const picture = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "24"];
    const done = spawnSync("ffmpeg", ["-nostdin", "-v", "error", ...sources, "-t", String(length), ...picture, ...codecs, path], { stdio: ["ignore", "inherit", "inherit"] });
    if (done.status !== 0) throw new Error(`ffmpeg could not make ${path}`);
  };
  make(join(films, "Harbour Lights (2018).mp4"), 12, ["-c:a", "aac", "-movflags", "+faststart"]);
  make(join(films, "Paper Moon (2020).mkv"), 12, ["-c:a", "ac3"]);
  make(join(films, "Tin Roof (2011).mp4"), 4, ["-c:a", "aac"]);
  make(join(evenings, "Night Train (1999).mp4"), 1, ["-c:a", "aac"]);
  return { root: folder, films, evenings, out };
}
