// A program that leaks on purpose, by which the soak's own judgement is tried: at each line on its
// standard input it keeps some memory and opens descriptors, and answers with a line.
//
//   node leak.mjs BYTES DESCRIPTORS
import { openSync } from "node:fs";
import { createInterface } from "node:readline";

const [bytes, descriptors] = process.argv.slice(2).map(Number);
const kept = [];

for await (const _ of createInterface({ input: process.stdin })) {
  // Filled, since untouched memory takes none.
  if (bytes > 0) kept.push(Buffer.alloc(bytes, kept.length + 1));
  for (let n = 0; n < descriptors; n++) kept.push(openSync("/dev/null"));
  process.stdout.write(`${kept.length}\n`);
}
