const SHORTEST = 8;
const LONGEST = 128;

/** Returns what a new password still lacks, counted in characters as people count them; empty while nothing is missing. */
export function passwordRemark(password: string): string {
  const length = [...password].length;
  if (length === 0) return "";
  if (length < SHORTEST) return `${SHORTEST - length} more ${SHORTEST - length === 1 ? "character" : "characters"}.`;
  if (length > LONGEST) return `At most ${LONGEST} characters; these are ${length}.`;
  return "";
}

export const PASSWORD_RULE = `${SHORTEST} to ${LONGEST} characters.`;
