// Films that are made once per machine and kept in the cache folder.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheDir } from "./paths.mjs";
import { mustCapture } from "./run.mjs";

/**
 * The folder that holds what `make` puts into one. `edition` changes with what is made. In a test
 * house it is called `beside` and lies beside the other films: Loge takes no folder that is hidden
 * in a home, as the cache is.
 */
export function filmFolder(name, edition, beside, make) {
  const made = kept(`${name}-${edition}`, name, make);
  const media = process.env.LOGE_TEST_MEDIA;
  if (!media) return made;
  const folder = join(dirname(media), beside);
  if (!existsSync(folder)) mustCapture("cp", ["-a", "--reflink=auto", made, folder]);
  return folder;
}

function kept(name, prefix, make) {
  const dir = join(cacheDir, name);
  if (existsSync(join(dir, ".done"))) return dir;
  mkdirSync(cacheDir, { recursive: true });
  const building = mkdtempSync(join(cacheDir, `${prefix}-`));
  try {
    make(building);
    chmodSync(building, 0o755);
    writeFileSync(join(building, ".done"), "");
    try {
      renameSync(building, dir);
    } catch (error) {
      // Another run was quicker; its films are as good.
      if (!existsSync(join(dir, ".done"))) throw error;
    }
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
  return dir;
}
