// One voice for every script: short lines on standard error, so that standard output stays
// free for what a caller wants to read.
const colour = process.stderr.isTTY && !process.env.NO_COLOR;
const paint = (code, text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);

export const say = (text) => process.stderr.write(`${paint("2", "loge")}  ${text}\n`);
export const warn = (text) => process.stderr.write(`${paint("33", "loge")}  ${text}\n`);
export const heading = (text) => process.stderr.write(`\n${paint("1", `== ${text}`)}\n`);

export function took(sinceMs) {
  const seconds = (Date.now() - sinceMs) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** A failure that a person can act on: its message is the whole story, no stack is printed. */
export class Refusal extends Error {}

/** Runs a script's main function and turns what it throws into an exit code. */
export async function main(run) {
  try {
    process.exitCode = (await run()) ?? 0;
  } catch (error) {
    warn(error instanceof Refusal ? error.message : (error.stack ?? String(error)));
    process.exitCode = 1;
  }
}
