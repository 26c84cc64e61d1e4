// "Did anything change since this was last made?", answered by content, so that a fresh clone
// and a touched file do not cost a build.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const NOT_SOURCES = new Set(["node_modules", "dist", "test-results", ".git"]);

/** One hash over files and folders, by path and content. */
export function hashOf(paths, salt = "") {
  const hash = createHash("sha256").update(salt);
  const visit = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) if (!NOT_SOURCES.has(name)) visit(join(path, name));
    } else {
      hash.update(`${path}\0`).update(readFileSync(path));
    }
  };
  for (const path of paths) visit(path);
  return hash.digest("hex");
}

/** Runs `make` unless `output` was made from exactly these inputs; answers whether it ran. */
export async function unlessFresh({ stamp, output, inputs }, make) {
  const now = hashOf(inputs);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === now) return false;
  await make();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, now);
  return true;
}
