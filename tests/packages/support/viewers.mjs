// Several people who watch one film at once, in the network of a machine: each reads it range by
// range at its own pace, as a player does, and tries again when the house is away for a moment.
//
//   viewers.mjs URL PEOPLE          says "playing" once everybody has begun; ends with a line of JSON
import { createHash } from "node:crypto";

const [url, people] = [process.argv[2], Number(process.argv[3])];
const OWNER = { username: "ana", password: "a seat in the first row 7" };
const STEP = 64 << 10;
const PAUSE_MS = 120;
/** What a player has in hand, with room for a slow machine. */
const PATIENCE_MS = 20_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function call(token, method, path, body) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const signIn = async (who) => (await call(null, "POST", "/auth/login", who)).access_token;

async function watch(address) {
  const [hash, seen] = [createHash("sha256"), { bytes: 0, longestGapMs: 0, away: 0 }];
  let size = Number.POSITIVE_INFINITY;
  const next = async () => {
    const began = Date.now();
    for (;;) {
      const got = await fetch(url + address, { headers: { range: `bytes=${seen.bytes}-${seen.bytes + STEP - 1}` } })
        .then(async (answer) => (answer.status === 206 ? { answer, part: Buffer.from(await answer.arrayBuffer()) } : null))
        .catch(() => null);
      seen.longestGapMs = Math.max(seen.longestGapMs, Date.now() - began);
      if (got) {
        size = Number(/\/(\d+)$/.exec(got.answer.headers.get("content-range"))[1]);
        hash.update(got.part);
        seen.bytes += got.part.length;
        return;
      }
      seen.away += 1;
      if (Date.now() - began > PATIENCE_MS) throw new Error(`nothing came for ${PATIENCE_MS} ms, at byte ${seen.bytes}`);
      await sleep(100);
    }
  };
  await next();
  const end = async () => {
    while (seen.bytes < size) {
      await sleep(PAUSE_MS);
      await next();
    }
    return { ...seen, sha256: hash.digest("hex") };
  };
  return end;
}

const owner = await signIn(OWNER);
const titles = await call(owner, "GET", "/titles");
const film = titles.items.find((title) => title.container === "mp4");
const libraries = (await call(owner, "GET", "/libraries")).items.map((library) => library.id);
// The owner may hold a seat of an earlier film.
await call(owner, "PATCH", "/admin/settings", { max_viewers: people + 1 });
const begun = [];
for (let n = 0; n < people; n += 1) {
  const who = { username: `viewer${n}`, password: `a seat in row ${n} by the aisle` };
  const { id } = await call(owner, "POST", "/admin/users", { ...who, role: "viewer" });
  await call(owner, "PUT", `/admin/users/${id}/grants`, { libraries });
  const play = await call(await signIn(who), "POST", `/titles/${film.id}/play`, {});
  begun.push(await watch(play.url));
}
console.log("playing");
console.log(JSON.stringify(await Promise.all(begun.map((end) => end()))));
