// A house behind the proxies of deploy/, as docs/guide/reverse-proxy.md sets it up: real nginx with
// the file itself, TLS, Chromium over HTTP/2 and others over HTTP/1.1.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/paths.mjs";
import { which } from "../../scripts/lib/run.mjs";
import { claim, eventually, openBrowser, openHouse, signIn } from "./support/house.mjs";
import { chromiumPage, look, open, seek } from "./support/matrix.mjs";
import { NAME, ask, askPlain, askTwo, derive, figures, listen, makeCertificate, openCaddy, openNginx, stall } from "./support/proxy.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };
const VIEWER = { name: "Ana", password: "curtain up at eight" };
/** A house has six seats at first; Ana has one. One person may have sixteen requests at a time. */
const SLEEPERS = ["Sam", "Sid", "Sue", "Syd", "Sol"].map((name) => ({ name, password: "asleep before the overture" }));
/** Where clients call from. nginx calls the house from 127.0.0.1. */
const HOME = "127.0.0.7";
const GUESSER = "127.0.0.9";
const MIB = 1 << 20;

let films;
let certificate;
let house;
let nginx;
let owner;
let browser;
let page;
/** `{ direct, segments }`, as the API tells of them. */
let titles;
const consoleErrors = [];

before(async () => {
  films = makeFilms();
  certificate = makeCertificate();
  browser = await openBrowser([`--host-resolver-rules=MAP ${NAME} 127.0.0.1`, "--no-proxy-server"]);
  house = await openHouse("process");
  await claim(house, OWNER);
  // As the owner at home: straight to the house.
  owner = await signIn(house.url, OWNER.name, OWNER.password);
  const { json: library } = await owner("POST", "/libraries", { name: "Films", kind: "movies", folders: [films.folder] });
  for (const { name, password } of [VIEWER, ...SLEEPERS]) {
    const { json: user } = await owner("POST", "/admin/users", { username: name, password, role: "viewer" });
    assert.equal((await owner("PUT", `/admin/users/${user.id}/grants`, { libraries: [library.id] })).status, 204);
  }
  // Films that are fetched without a page stay begun for a while.
  assert.equal((await owner("PATCH", "/admin/settings", { max_streams_per_person: 20 })).status, 200);
  nginx = await openNginx(house, certificate);
  titles = await eventually("both films", async () => {
    const { json } = await owner("GET", "/titles");
    const by = (playability) => json.items.find((one) => one.playability === playability);
    return by("direct") && by("remux") ? { direct: by("direct"), segments: by("remux") } : null;
  });
});
after(async () => {
  await page?.close();
  await browser?.close();
  await nginx?.close();
  await house?.close();
  certificate?.remove();
  films?.remove();
});

describe("nginx with the file of deploy/", { concurrency: false }, () => {
  test("nginx takes the file without a word", () => {
    assert.equal(nginx.checked.status, 0, nginx.checked.stderr);
    // Newer ones would have one word elsewhere, where older ones do not understand it; the file says so.
    const words = nginx.checked.stderr.split("\n").filter((line) => !line.includes('"listen ... http2" directive is deprecated'));
    assert.doesNotMatch(words.join("\n"), /\[(warn|error|emerg)\]/);
  });

  test("port 80 leads to TLS, and proves the name to those who ask", async () => {
    const plain = (path) => askPlain(`http://127.0.0.1:${nginx.plain}`, path, { headers: { host: NAME } });
    const answer = await plain("/title/1?from=2");
    assert.deepEqual([answer.status, answer.headers.location], [301, `https://${NAME}/title/1?from=2`]);
    writeFileSync(join(nginx.acme, ".well-known/acme-challenge/token"), "proof");
    assert.equal((await plain("/.well-known/acme-challenge/token")).text, "proof");
  });

  test("before the house is told, it knows neither the name nor the proxy", async () => {
    const answer = await ask(nginx, "/", { headers: { accept: "text/html" } });
    assert.equal(answer.status, 421);
    assert.ok(answer.text.includes("Loge does not know this name") && answer.text.includes(`?allow=${NAME}`), answer.text);
    // The name alone: everybody counts as the proxy, and the owner hears of it.
    await names({ allowed: [NAME], trusted_proxies: ["192.0.2.1"] });
    const { token } = await enter(VIEWER, HOME, { "x-forwarded-for": "203.0.113.66" });
    assert.equal(await address(token), "127.0.0.1");
    assert.equal((await owner("GET", "/admin/names")).json.unknown_proxy, "127.0.0.1");
  });

  test("the house is told: it counts those who ask, and binds their cookies to TLS", async () => {
    await names({ allowed: [], trusted_proxies: ["127.0.0.1"], public_url: nginx.url });
    const { token, cookies } = await enter(VIEWER, HOME);
    assert.equal(await address(token), HOME);
    assert.deepEqual(cookies.map((one) => one.split("=")[0]), ["__Host-loge_refresh", "__Host-loge_view"]);
    for (const one of cookies) assert.match(one, /; Path=\/; Secure$/);
    const { json } = await owner("POST", "/admin/invites", { libraries: [] });
    assert.ok(JSON.stringify(json).includes(`${nginx.url}/invite`), "invitations carry the public address");
  });

  test("what a client says about itself changes nothing", async () => {
    const lies = { "x-forwarded-for": "203.0.113.66", forwarded: "for=203.0.113.66;host=evil.example;proto=http", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http" };
    const { token, cookies } = await enter(VIEWER, HOME, lies);
    assert.equal(await address(token), HOME);
    assert.ok(cookies.every((one) => one.startsWith("__Host-")));
    // Straight to the house, from an address that it does not trust.
    const straight = await askPlain(house.url, "/api/v1/auth/login", { method: "POST", from: HOME, headers: lies, body: { username: VIEWER.name, password: VIEWER.password } });
    assert.equal(straight.status, 200, straight.text);
    assert.equal(await address(JSON.parse(straight.text).access_token), HOME);
  });

  test("a name of another site gets the page that says so", async () => {
    for (const host of ["evil.example", `evil.example:${nginx.port}`]) {
      const answer = await ask(nginx, "/", { host, headers: { accept: "text/html" } });
      assert.equal(answer.status, 421);
      assert.match(answer.text, /by the name <strong>evil\.example<\/strong>/);
    }
  });

  test("a person signs in, and a film plays by ranges and another in segments", async () => {
    page = await chromiumPage(browser, undefined, { ignoreHTTPSErrors: true });
    page.raw.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) consoleErrors.push(message.text());
    });
    await page.goto(nginx.url);
    await page.raw.getByLabel("Name", { exact: true }).fill(VIEWER.name);
    await page.raw.getByLabel("Password", { exact: true }).fill(VIEWER.password);
    await page.raw.getByRole("button", { name: "Sign in" }).click();
    await page.raw.getByText(titles.direct.name).first().waitFor();
    assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h2");
    const cookies = await page.raw.context().cookies();
    assert.deepEqual(cookies.map((one) => [one.name, one.secure, one.httpOnly, one.path]).sort(), [
      ["__Host-loge_refresh", true, true, "/"],
      ["__Host-loge_view", true, true, "/"],
    ]);
    for (const [film, method] of [[titles.segments, "remux"], [titles.direct, "direct"]]) {
      const begun = await open(page, nginx.url, film);
      assert.equal(begun.curtain, null, `${begun.curtain}: ${begun.why}`);
      const stream = (await owner("GET", "/admin/streams")).json.items.find((play) => play.title_id === film.id);
      assert.equal(stream.method, method);
      for (const to of [70, 20.5]) {
        await seek(page, to);
        await look(page, `${film.name} at ${to} s`, (seen) => !seen.seeking && seen.time >= to + 0.3 && seen.ready >= 3);
      }
    }
    // A page that is opened anew is still signed in: the cookie came back.
    await page.goto(nginx.url);
    await page.raw.getByText(titles.direct.name).first().waitFor();
    assert.deepEqual(page.problems, []);
    assert.deepEqual(consoleErrors, []);
  });

  for (const [version, way] of [["HTTP/1.1", ask], ["HTTP/2", askTwo]]) {
    test(`over ${version} the bytes are those of the file`, async () => {
      const file = readFileSync(films.direct);
      const path = await play(VIEWER);
      const whole = await way(nginx, path);
      assert.equal(whole.status, 200);
      assert.equal(Number(whole.headers["content-length"]), file.length);
      assert.equal(digest(whole.bytes), digest(file));
      const middle = Math.floor(file.length / 2);
      for (const [range, first, last] of [
        ["0-0", 0, 0],
        ["0-99999", 0, 99_999],
        [`${middle}-${middle + 5_000_000}`, middle, middle + 5_000_000],
        [`${file.length - 10}-`, file.length - 10, file.length - 1],
        ["-4097", file.length - 4097, file.length - 1],
        [`5-${file.length * 2}`, 5, file.length - 1],
      ]) {
        const part = await way(nginx, path, { headers: { range: `bytes=${range}` } });
        assert.deepEqual([part.status, part.headers["content-range"]], [206, `bytes ${first}-${last}/${file.length}`], range);
        assert.equal(digest(part.bytes), digest(file.subarray(first, last + 1)), range);
      }
      const beyond = await way(nginx, path, { headers: { range: `bytes=${file.length}-` } });
      assert.deepEqual([beyond.status, beyond.headers["content-range"]], [416, `bytes */${file.length}`]);
      const head = await way(nginx, path, { method: "HEAD" });
      assert.deepEqual([head.status, Number(head.headers["content-length"]), head.headers["accept-ranges"], head.bytes.length], [200, file.length, "bytes", 0]);
      const same = await way(nginx, path, { headers: { "if-none-match": head.headers.etag } });
      assert.equal(same.status, 304);
    });
  }

  test("events come while their answer goes on", async (t) => {
    const { token, user } = await enter(VIEWER, HOME);
    const heard = listen(nginx, token, HOME);
    await eventually("the greeting", () => heard.count("hello") === 1);
    const began = performance.now();
    await change(user);
    await eventually("the event", () => heard.count("resync") === 1);
    t.diagnostic(`an event took ${Math.round(performance.now() - began)} ms through nginx`);
    // Nothing pushed it out but itself.
    assert.ok(!heard.over && !heard.text.includes(": here"), heard.text);
    heard.close();

    // The control: with buffers nginx keeps what does not fill one, here until the answer ends.
    const buffers = await openNginx(house, certificate, (text) =>
      derive(text, [["proxy_buffering    off;\n        proxy_read_timeout 1h;", "proxy_ignore_headers X-Accel-Buffering; proxy_read_timeout 1h;"]]),
    );
    try {
      const [, last] = /^id: (\d+)$/m.exec(heard.text);
      await change(user);
      // Both are owed what came since, so that it does not matter when they are let in.
      const late = listen(buffers, token, HOME, { "last-event-id": last });
      const other = listen(nginx, token, HOME, { "last-event-id": last });
      await eventually("the event to the other one", () => other.count("resync") === 1);
      // A round trip through it: what it would pass on has been passed on.
      assert.equal((await ask(buffers, "/healthz", { host: NAME })).status, 200);
      assert.equal(late.text, "", "kept back");
      const { id } = await session(token);
      assert.equal((await owner("DELETE", `/admin/sessions/${id}`)).status, 204);
      await eventually("both to end", () => late.over && other.over);
      assert.deepEqual([late.count("hello"), late.count("resync")], [1, 1]);
    } finally {
      await buffers.close();
    }
  });

  test("guessing is braked by nginx, and films go on", async () => {
    const begun = await open(page, nginx.url, titles.direct, 5);
    assert.equal(begun.curtain, null);
    const guess = (n) => ask(nginx, "/api/v1/auth/login", { method: "POST", from: GUESSER, body: { username: `guess${n}`, password: "wrong wrong wrong" } });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => guess(n)));
    // What Loge itself answers has the id of its request.
    const braked = answers.filter((one) => one.status === 429 && !one.headers["x-request-id"]);
    assert.ok(braked.length >= 15, `${braked.length} of 40`);
    assert.ok(answers.length - braked.length >= 20, "a household may mistype");
    for (const one of braked) {
      assert.equal(one.headers["content-type"], "application/problem+json");
      assert.equal(JSON.parse(one.text).code, "too_many_attempts");
    }
    for (const path of ["auth/register", "auth/invite", "setup"]) {
      const more = await ask(nginx, `/api/v1/${path}`, { method: "POST", from: GUESSER, body: {} });
      assert.ok(more.status === 429 && !more.headers["x-request-id"], `${path}: ${more.status}`);
    }
    // It is not for those who look, nor for others.
    assert.equal((await ask(nginx, "/api/v1/server", { from: GUESSER })).status, 200);
    await enter(VIEWER, HOME);
    await look(page, "the film to go on", (seen) => seen.time > begun.time + 2 && !seen.paused);
  });

  test("500 who ask for a film and never take it cost little, and give all of it back", async (t) => {
    const paths = await Promise.all(SLEEPERS.map(play));
    const begun = await open(page, nginx.url, titles.direct, 30);
    assert.equal(begun.curtain, null);
    const now = () => ({ nginx: figures(nginx.pids()), house: figures([house.child.pid]) });
    const earlier = now();
    const sockets = await Promise.all(Array.from({ length: 500 }, (_, n) => stall(nginx, paths[n % paths.length], "127.0.0.8")));
    // A refusal is shorter than what a film fills.
    const served = () => sockets.filter((one) => one.readableLength > 8 << 10).length;
    await eventually("as many to be served as the house serves", () => served() >= SLEEPERS.length * 16);
    await look(page, "the film of another one to go on", (seen) => seen.time > begun.time + 4 && !seen.paused);
    const later = now();
    for (const [name, before] of Object.entries(earlier)) {
      const grown = later[name].rss - before.rss;
      t.diagnostic(`${name}: ${(before.rss / MIB).toFixed(1)} MiB, grown by ${(grown / MIB).toFixed(1)} MiB; ${before.descriptors} descriptors, then ${later[name].descriptors}`);
      assert.ok(grown < 64 * MIB, `${name} grew by ${grown / MIB} MiB`);
    }
    t.diagnostic(`${served()} of 500 hold a film, the others wait for it or were turned away`);
    assert.ok(later.nginx.descriptors > earlier.nginx.descriptors + 400, "they were there");
    assert.doesNotMatch(nginx.errors(), /temporary file/);
    for (const one of sockets) one.destroy();
    let last;
    await eventually(() => `the descriptors to return: ${JSON.stringify({ earlier, last })}`, () => {
      last = now();
      // nginx keeps some connections to the house for whoever comes next.
      return ["nginx", "house"].every((one) => last[one].descriptors <= earlier[one].descriptors + 24);
    });
    const after = await look(page, "the film to go on", (seen) => !seen.paused && seen.ready >= 3);
    assert.ok(after.time > begun.time + 4);
  });

  test("no address of a film is in nginx's log", () => {
    assert.ok(nginx.log().includes("/api/v1/auth/login"), "it has a log");
    assert.doesNotMatch(nginx.log(), /\/stream\//);
  });
});

describe("the other proxies", { concurrency: false }, () => {
  const withoutCaddy = which("caddy") ? false : "there is no Caddy here (package: caddy)";
  test("Caddy takes its file", { skip: withoutCaddy }, () => {
    const home = mkdtempSync(join(tmpdir(), "loge-cd-"));
    const env = { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home };
    const done = spawnSync("caddy", ["validate", "--config", join(root, "deploy/caddy/Caddyfile"), "--adapter", "caddyfile"], { encoding: "utf8", env });
    rmSync(home, { recursive: true, force: true });
    assert.equal(done.status, 0, done.stderr);
    assert.doesNotMatch(done.stderr, /"level":"(warn|error)"/);
  });

  test("behind Caddy films are whole, events come, and nobody lies", { skip: withoutCaddy }, async () => {
    const caddy = await openCaddy(house, certificate);
    try {
      await names({ public_url: caddy.url });
      const { token, user, cookies } = await enter(VIEWER, HOME, { "x-forwarded-for": "203.0.113.66", forwarded: "for=203.0.113.66" }, caddy);
      assert.equal(await address(token), HOME);
      assert.ok(cookies.every((one) => one.startsWith("__Host-")));
      const path = await play(VIEWER);
      const file = readFileSync(films.direct);
      assert.equal(digest((await ask(caddy, path)).bytes), digest(file));
      const part = await askTwo(caddy, path, { headers: { range: "bytes=-4097" } });
      assert.deepEqual([part.status, digest(part.bytes)], [206, digest(file.subarray(-4097))]);
      const heard = listen(caddy, token, HOME);
      await eventually("the greeting", () => heard.count("hello") === 1);
      await change(user);
      await eventually("the event", () => heard.count("resync") === 1);
      assert.ok(!heard.text.includes(": here"), heard.text);
      heard.close();
    } finally {
      await caddy.close();
    }
  });

  test("Traefik's file is YAML, and holds together", () => {
    const read = spawnSync("/usr/bin/python3", ["-c", "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"], { input: readFileSync(join(root, "deploy/traefik/loge.yml")), encoding: "utf8" });
    assert.equal(read.status, 0, read.stderr);
    const { http, ...rest } = JSON.parse(read.stdout);
    assert.deepEqual(rest, {});
    for (const router of Object.values(http.routers)) {
      assert.ok(http.services[router.service], router.service);
      for (const one of router.middlewares) assert.ok(http.middlewares[one], one);
      assert.ok(router.rule.includes(`Host(\`${NAME}\`)`));
    }
    for (const { loadBalancer } of Object.values(http.services)) assert.ok(http.serversTransports[loadBalancer.serversTransport]);
    // What guessers ask is braked by each of the two files.
    const conf = readFileSync(join(root, "deploy/nginx/loge.conf"), "utf8");
    const [, pattern] = /location ~ (\S+) \{/.exec(conf);
    const paths = [...http.routers["loge-sign-in"].rule.matchAll(/Path\(`([^`]+)`\)/g)].map(([, path]) => path);
    assert.equal(paths.length, 4);
    for (const path of paths) assert.match(path, new RegExp(pattern));
  });
});

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function names(form) {
  const { status, text } = await owner("PUT", "/admin/names", form);
  assert.equal(status, 200, text);
}

/** Signs in through a proxy: `{ token, user, cookies }`. */
async function enter({ name, password }, from, headers = {}, proxy = nginx) {
  const answer = await ask(proxy, "/api/v1/auth/login", { method: "POST", from, headers, body: { username: name, password } });
  assert.equal(answer.status, 200, answer.text);
  const { json } = await owner("GET", "/admin/users");
  return { token: JSON.parse(answer.text).access_token, user: json.items.find((one) => one.username === name), cookies: answer.headers["set-cookie"] };
}

/** The sign-in of a token, as its person sees it. */
async function session(token) {
  const answer = await fetch(`${house.url}/api/v1/me/sessions`, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()).items.find((one) => one.current);
}

/** Where it came from. */
const address = async (token) => (await session(token)).address;

/** Presses play, and gives the path of the film's bytes. */
async function play({ name, password }) {
  const person = await signIn(house.url, name, password);
  const { status, json, text } = await person("POST", `/titles/${titles.direct.id}/play`, {});
  assert.equal(status, 200, text);
  return json.url;
}

/** Changes what a person may see, which their pages are told. */
async function change(user) {
  const { json } = await owner("GET", "/libraries");
  assert.equal((await owner("PUT", `/admin/users/${user.id}/grants`, { libraries: json.items.map((one) => one.id) })).status, 204);
}

/** A film every browser takes, of some size, and one that none takes in that wrapping. */
function makeFilms() {
  const folder = mkdtempSync(join(tmpdir(), "loge-pf-"));
  chmodSync(folder, 0o755);
  const make = (name, out) => {
    const path = join(folder, name);
    const pictures = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=24", "-f", "lavfi", "-i", "sine=frequency=220"];
    const done = spawnSync("ffmpeg", ["-nostdin", "-v", "error", ...pictures, "-t", "90", ..."-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 48".split(" "), ...out.split(" "), path]);
    assert.equal(done.status, 0, String(done.stderr));
    return path;
  };
  // Filled up, so that it is larger than what a kernel keeps for a connection.
  const direct = make("Harbour Lights (2018).mp4", "-b:v 3M -minrate 3M -maxrate 3M -bufsize 3M -x264-params nal-hrd=cbr:force-cfr=1 -c:a aac -movflags +faststart");
  make("Moss and Mirrors (2016).mkv", "-c:a ac3");
  return { folder, direct, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
