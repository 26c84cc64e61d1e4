// What a film's chapters say about its beginning.
import type { Chapter } from "../api/types";

const NAMES = /^(intro|introduction|opening|opening (credits|titles|theme)|op|title sequence|recap|previously|vorspann|intro credits|générique)\b/i;
/** Nobody's titles are longer; what is, is an act of the film by that name. */
const LONGEST_S = 240;
/** For less it is not worth a button. */
const WORTH_S = 3;

/** Where the beginning titles that run now end; null when none run. */
export function introEnd(chapters: readonly Chapter[], at_s: number): number | null {
  const now = chapters.find((one) => at_s >= one.start_s && at_s < one.end_s);
  if (!now?.title || !NAMES.test(now.title.trim())) return null;
  return now.end_s - now.start_s <= LONGEST_S && now.end_s - at_s > WORTH_S ? now.end_s : null;
}
