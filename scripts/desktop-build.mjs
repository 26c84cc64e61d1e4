// `npm run desktop:build`: the desktop app as a Debian package, through the Tauri CLI. The
// root package is not among the workspace's default members, so the CLI is told its name.
import { join } from "node:path";
import { cargoEnv } from "./lib/cargo.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { root } from "./lib/paths.mjs";
import { run } from "./lib/run.mjs";
import { main } from "./lib/say.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";

await main(async () => {
  ensureToolchain();
  await ensurePackages(["build", "desktop"]);
  await ensureNodeModules();
  await buildUi();
  await run(join(root, "node_modules/.bin/tauri"), ["build", ...process.argv.slice(2), "--", "-p", "loge"], { cwd: root, env: cargoEnv() });
});
