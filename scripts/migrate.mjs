// `npm run migration:run [-- --data-dir DIR]`: brings the database to this version's schema,
// with the server's own verb. Starting the server does the same; this is for those who want
// to see it done first.
import "./lib/dotenv.mjs";
import { buildServer } from "./lib/cargo.mjs";
import { foreground } from "./lib/child.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { main } from "./lib/say.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";

await main(async () => {
  ensureToolchain();
  await ensurePackages(["build"]);
  // The server's binary carries the UI.
  await ensureNodeModules();
  await buildUi();
  return foreground(await buildServer({ release: true }), ["migrate", ...process.argv.slice(2)], process.env);
});
