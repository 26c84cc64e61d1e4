// What a run of steps comes to, in words. Pure. A step that was left out, or that left something
// out, is never counted among those that passed.

/**
 * What became of a step: `failure` is why it failed; `skipped` is why nothing of it was done;
 * `without` lists what was left out of it, each with its reason.
 */
export function outcomeOf({ failure = null, skipped = null, without = [] }) {
  if (failure) return { word: "FAILED", note: failure };
  if (skipped) return { word: "skipped", note: skipped };
  if (without.length > 0) return { word: "partly", note: `left out: ${[...new Set(without)].join("; ")}` };
  return { word: "ok", note: "" };
}

/** The lines of the summary, the closing line, and the exit code of the run. */
export function summarize(results, took) {
  const outcomes = results.map((result) => ({ ...result, ...outcomeOf(result) }));
  const lines = outcomes.map(({ word, name, took, note }) => `${word.padEnd(7)}  ${name} (${took})${note ? `: ${note}` : ""}`);
  const count = (word) => outcomes.filter((one) => one.word === word).length;
  const parts = [
    `${count("ok")} of ${outcomes.length} steps passed`,
    ...(count("partly") > 0 ? [`${count("partly")} in part`] : []),
    ...(count("skipped") > 0 ? [`${count("skipped")} ${count("skipped") === 1 ? "was" : "were"} skipped`] : []),
    ...(count("FAILED") > 0 ? [`${count("FAILED")} FAILED`] : []),
  ];
  return { lines, closing: `${parts.join(", ")}, in ${took}`, code: count("FAILED") === 0 ? 0 : 1 };
}
