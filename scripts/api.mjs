// `npm run api`: brings the document of the HTTP API and the UI's types up to date with the server's code.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildServer } from "./lib/cargo.mjs";
import { root } from "./lib/paths.mjs";
import { mustCapture } from "./lib/run.mjs";
import { main, say } from "./lib/say.mjs";

await main(async () => {
  const { server } = await buildServer({ release: false });
  const document = mustCapture(server, ["openapi"]);
  writeFileSync(join(root, "ui/src/api/openapi.json"), document);
  mustCapture(process.execPath, [join(root, "ui/scripts/api.mjs")]);
  say("ui/src/api/openapi.json and schema.gen.ts are up to date");
  return 0;
});
