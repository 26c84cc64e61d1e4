// Reads what Rust's test programs print. A test that finds no engine, database or right on this
// machine prints "skipped: " and why, and passes: with `--show-output` that line comes out, and it
// is taken from there, so that the step is not counted among those that passed whole.

const SKIPPED = /^skipped[^:]*: /;

/** Goes through lines in order. `line` answers whether a line is worth showing; `skips` lists what was left out. */
export function libtestReader() {
  const skips = new Set();
  let inside = false;
  let name = "";
  return {
    skips,
    line(text) {
      if (text === "successes:") inside = true;
      else if (text === "failures:" || text.startsWith("test result:")) inside = false;
      name = inside ? (/^---- (.+) stdout ----$/.exec(text)?.[1] ?? name) : "";
      // With `--nocapture` the line stands alone, and no name is known.
      if (SKIPPED.test(text)) skips.add(name ? `${name} (${text.replace(SKIPPED, "")})` : text.replace(SKIPPED, ""));
      return !inside;
    },
  };
}
