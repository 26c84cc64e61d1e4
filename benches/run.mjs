// `npm run bench -- stream|media [--rounds N] [--runtime docker|process] [--json FILE] [--only PART]`
// Side-by-side measurements on this machine: what is judged are ratios taken in one run.
import { parseArgs } from "node:util";
import { main, Refusal } from "../scripts/lib/say.mjs";
import { benchMedia } from "./media.mjs";
import { benchStream } from "./stream.mjs";

const benches = { stream: benchStream, media: benchMedia };

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string", default: "5" }, runtime: { type: "string", default: "docker" }, json: { type: "string" }, only: { type: "string" } },
  });
  const bench = benches[positionals[0] ?? "stream"];
  if (!bench) throw new Refusal(`there is no such benchmark; there is: ${Object.keys(benches).join(", ")}`);
  await bench({ rounds: Number(values.rounds), runtime: values.runtime, json: values.json, only: values.only });
  return 0;
});
