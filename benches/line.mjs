// One line of a table.
import { say } from "../scripts/lib/say.mjs";

export function line(name, ...facts) {
  say(`  ${name.padEnd(34)} ${facts.map((fact) => fact.padEnd(22)).join(" ")}`);
}
