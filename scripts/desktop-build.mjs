// `npm run desktop:build`: the desktop app as a Debian package, through the Tauri CLI. The
// root package is not among the workspace's default members, so the CLI is told its name.
import { buildFrames, buildSandboxed, cargoEnv } from "./lib/cargo.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { root } from "./lib/paths.mjs";
import { run } from "./lib/run.mjs";
import { main } from "./lib/say.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";

/** Fetched when needed instead of listed in package.json: only this command wants it, and its many optional parts slow every install. */
const TAURI_CLI = "2.12.5";

await main(async () => {
  ensureToolchain();
  await ensurePackages(["build", "media", "desktop"]);
  await ensureNodeModules();
  await buildUi();
  // The server inside the app looks for these three beside the program.
  const { worker, launcher } = await buildSandboxed({ release: true });
  const { frames } = await buildFrames({ release: true });
  const files = { "/usr/bin/loge-worker": worker, "/usr/bin/loge-launch": launcher, "/usr/bin/loge-frames": frames };
  const config = JSON.stringify({ bundle: { linux: { deb: { files } } } });
  await run("npm", ["exec", "--yes", `--package=@tauri-apps/cli@${TAURI_CLI}`, "--", "tauri", "build", "--config", config, ...process.argv.slice(2), "--", "-p", "loge"], { cwd: root, env: cargoEnv() });
});
