// What a viewer downloads before the first page shows must stay small: the house may stream to a ten-year-old tablet.
// Counts the entry script with everything it imports at once, and all of its styles, compressed. Fonts and lazy pages come later.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

// hls.js is fetched when a film needs it, and by nobody else.
const BUDGET = { first: 55_000, lazy: 60_000, player: 190_000 };
const dist = new URL("../dist/", import.meta.url);
const read = (name) => readFileSync(new URL(name, dist));
const size = (name) => gzipSync(read(name), { level: 9 }).length;
const html = read("index.html").toString();
const first = new Set([...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map((m) => m[1]));
const scripts = readdirSync(new URL("assets/", dist))
  .filter((name) => /\.(js|css)$/.test(name))
  .map((name) => `assets/${name}`);

let total = 0;
for (const name of first) total += size(name);
const heavy = scripts.filter((name) => !first.has(name) && size(name) > (/\/hls[.-]/.test(name) ? BUDGET.player : BUDGET.lazy));
console.log(`first load ${(total / 1000).toFixed(1)} kB of ${BUDGET.first / 1000} kB, ${scripts.length} files`);
if (total > BUDGET.first || heavy.length > 0) {
  for (const name of total > BUDGET.first ? first : heavy) console.error(`  ${name}: ${(size(name) / 1000).toFixed(1)} kB`);
  console.error("The bundle is over its budget.");
  process.exit(1);
}
