// Where things are. Everything that can be made again lives in one cache folder, so that
// two checkouts share their builds and a person can delete it without asking.
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const cacheDir = process.env.LOGE_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "loge");
export const targetDir = process.env.LOGE_TARGET_DIR ?? join(cacheDir, "target");
export const sampleMediaDir = process.env.LOGE_TEST_MEDIA ?? join(cacheDir, "sample-media");
export const skipsReporter = join(root, "scripts/lib/skips-reporter.mjs");
