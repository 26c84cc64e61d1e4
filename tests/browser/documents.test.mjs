// Links and commands of the documents lead to what exists.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/lib/paths.mjs";
import { anchors, deadCommands, deadLinks, documents } from "./support/documents.mjs";

const known = new Map();
/** What `loge-server VERBS --help` prints; null when it knows no such verb. */
function help(verbs) {
  const key = verbs.join(" ");
  if (!known.has(key)) {
    assert.ok(process.env.LOGE_SERVER, "LOGE_SERVER is not set; run this with: npm test -- --only browser");
    const done = spawnSync(process.env.LOGE_SERVER, [...verbs, "--help"], { encoding: "utf8" });
    if (done.error) throw done.error;
    known.set(key, done.status === 0 ? done.stdout : null);
  }
  return known.get(key);
}

const all = documents(root).map((path) => [path, readFileSync(join(root, path), "utf8")]);

test("every link leads somewhere", () => {
  assert.ok(all.length > 20 && all.some(([path]) => path === "docs/guide/api.md"));
  assert.deepEqual(all.flatMap(([path, text]) => deadLinks(root, path, text)), []);
});

test("every script, verb and flag that is named exists", () => {
  assert.deepEqual(all.flatMap(([path, text]) => deadCommands(root, path, text, help)), []);
});

test("the control: what is not there is found", () => {
  const links = (text) => deadLinks(root, "docs/guide/made-up.md", text);
  assert.deepEqual(links("[a](owner.md) [b](../adr/README.md) [c](#so-it-is) [d](https://elsewhere.example/x)\n## So it is"), []);
  assert.deepEqual(links("[a](owner.md#names-and-proxies) ![b](../images/home.png \"The films\") `[c](nowhere.md)`\n```\n[d](nowhere.md)\n```\n"), []);
  for (const one of ["[a](nowhere.md)", "[a](owner.md#nowhere)", "[a](#nowhere)", "![a](../images/nowhere.png)", "[a]: nowhere.md", '<img src="nowhere.png">', "[a](../../../etc/passwd)"]) {
    assert.equal(links(one).length, 1, one);
  }
  assert.deepEqual([...anchors("# A `b` & c\n## Twice\n## Twice\n```sh\n# no heading\n```\n### Größe, 2")], ["a-b--c", "twice", "twice-1", "größe-2"]);

  const commands = (text) => deadCommands(root, "docs/guide/made-up.md", text, help);
  assert.deepEqual(commands("`npm start -- --headless --data-dir /tmp/x`, `npm test -- --only rust`, `npm run api`, `npm ci`, `scripts/fetch-sample-media`"), []);
  assert.deepEqual(commands("`loge-server user set-password NAME`, `loge-server backup FILE | doctor --json`, `loge-server`, `crates/loge-server.toml`"), []);
  assert.deepEqual(commands("```sh\nloge-server user list | less --quit  # a shell\n```\n"), []);
  for (const one of [
    "`npm run nothing`",
    "`npm start -- --nothing`",
    "`node scripts/nothing.mjs`",
    "`loge-server nothing`",
    "`loge-server user nothing`",
    "`loge-server user list | nothing`",
    "`loge-server serve --nothing`",
    "`loge-server serve [--start]`",
    "`sudo loge-server --nothing`",
    "```sh\nloge-server backup --nothing FILE\n```\n",
  ]) {
    assert.equal(commands(one).length, 1, one);
  }
});
