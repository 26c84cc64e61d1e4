// Which fields of a form a refusal is about. Pure.
import { type Code, codeOf, fieldErrors, sayFailure } from "./errors";

export interface FormProblems {
  /** One sentence for each field that cannot be accepted. */
  fields: Record<string, string>;
  /** What is wrong with the form as a whole; empty when the fields say it all. */
  whole: string;
}

export const NO_PROBLEMS: FormProblems = { fields: {}, whole: "" };

/** Codes that are about one field without naming it, and the fields they may belong to. */
const ABOUT: Partial<Record<Code | "unknown", readonly string[]>> = {
  weak_password: ["password", "new"],
  username_taken: ["username"],
  wrong_setup_code: ["code"],
};

/** Sorts a refusal into the fields this form has. What belongs to none of them is said about the whole, so that nothing is lost. */
export function formProblems(error: unknown, has: readonly string[]): FormProblems {
  const told = fieldErrors(error);
  const fields: Record<string, string> = {};
  const rest: string[] = [];
  for (const [field, message] of Object.entries(told)) {
    if (has.includes(field)) fields[field] = sentence(message);
    else rest.push(`${field}: ${message}`);
  }
  const code = codeOf(error);
  const home = (code && ABOUT[code])?.find((field) => has.includes(field));
  if (home && !fields[home]) fields[home] = sayFailure(error);
  if (rest.length > 0) return { fields, whole: rest.map(sentence).join(" ") };
  return { fields, whole: Object.keys(fields).length === 0 ? sayFailure(error) : "" };
}

/** "lies between 1 and 64" as it stands under its field. */
function sentence(message: string): string {
  const text = message.slice(0, 1).toLocaleUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
