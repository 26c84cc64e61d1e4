// The examples of settings, as the programs read them that take such files.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseEnv } from "node:util";
import { root } from "../../scripts/lib/paths.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");

test("Node reads .env.example as it is meant, also with every setting set", () => {
  const set = read(".env.example").split("\n").filter((line) => line && !line.startsWith("#"));
  assert.ok(set.length > 2);
  assert.deepEqual(parseEnv(read(".env.example")), Object.fromEntries(set.map((line) => line.split(/=(.*)/).slice(0, 2))));
  const all = read(".env.example").split("\n").map((line) => line.replace(/^#(?=[A-Z_]+=)/, "")).join("\n");
  const values = parseEnv(all);
  assert.ok(Object.keys(values).length > 12 && values.DOCKER_HOST);
  for (const [name, value] of Object.entries(values)) assert.ok(all.includes(`\n${name}=${value}\n`), name);
});

test("the unit of the service takes its own settings file, and sets nothing that the file says otherwise", () => {
  const unit = read("deploy/systemd/loge.service");
  assert.match(unit, /^EnvironmentFile=-\/etc\/default\/loge$/m);
  const [, line] = unit.match(/^Environment=(.+)$/m);
  const places = { "%S": "/var/lib", "%C": "/var/cache" };
  const ofUnit = Object.fromEntries(line.split(" ").map((pair) => pair.replace(/%[SC]/, (sign) => places[sign]).split("=")));
  assert.deepEqual(parseEnv(read("deploy/debian/loge.default")), ofUnit);
});
