// `npm run config`: brings the files that explain the settings up to date with the server's table of them.
import { buildServer } from "./lib/cargo.mjs";
import { root } from "./lib/paths.mjs";
import { mustCapture } from "./lib/run.mjs";
import { main, say } from "./lib/say.mjs";

await main(async () => {
  const { server } = await buildServer({ release: false });
  say(mustCapture(server, ["renew-config", root]).trimEnd());
  return 0;
});
