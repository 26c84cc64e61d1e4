// The closing lines of `npm test` tell the truth about what was left out.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { libtestReader } from "../../scripts/lib/libtest.mjs";
import { skipsReporter } from "../../scripts/lib/paths.mjs";
import { outcomeOf, summarize } from "../../scripts/lib/summary.mjs";

test("only what was done whole and without a failure is ok", () => {
  assert.equal(outcomeOf({}).word, "ok");
  assert.equal(outcomeOf({ skipped: "no cargo-deny" }).word, "skipped");
  assert.equal(outcomeOf({ without: ["tests with Docker (no kernel)"] }).word, "partly");
  // A step that failed is a failure, even if it also left something out.
  assert.equal(outcomeOf({ failure: "boom", skipped: "x", without: ["y"] }).word, "FAILED");
});

test("skipped steps are counted apart and do not fail the run", () => {
  const { lines, closing, code } = summarize(
    [
      { name: "cargo fmt", took: "2 s" },
      { name: "cargo deny", took: "0.0 s", skipped: "cargo-deny is not installed" },
      { name: "browser tests", took: "9 s", without: ["Firefox (none here)", "Firefox (none here)"] },
    ],
    "3 min 0 s",
  );
  assert.deepEqual(lines, [
    "ok       cargo fmt (2 s)",
    "skipped  cargo deny (0.0 s): cargo-deny is not installed",
    "partly   browser tests (9 s): left out: Firefox (none here)",
  ]);
  assert.equal(closing, "1 of 3 steps passed, 1 in part, 1 was skipped, in 3 min 0 s");
  assert.equal(code, 0);
});

test("what a Rust test left out is taken from its output", () => {
  const read = libtestReader();
  const printed = ["running 2 tests", "..", "successes:", "", "---- disks::full stdout ----", "skipped: no tmpfs can be mounted", "", "successes:", "    disks::full", "    disks::whole", "", "test result: ok. 2 passed"];
  assert.deepEqual(printed.filter(read.line), ["running 2 tests", "..", "test result: ok. 2 passed"]);
  assert.deepEqual([...read.skips], ["disks::full (no tmpfs can be mounted)"]);
  // Beside a failure, and where nothing is captured.
  const failed = ["successes:", "    a", "failures:", "---- b stdout ----", "boom", "test result: FAILED", "skipped with docker: no engine"];
  const after = libtestReader();
  assert.deepEqual(failed.filter(after.line), failed.slice(2));
  assert.deepEqual([...after.skips], ["no engine"]);
  assert.equal(outcomeOf({ without: [...read.skips] }).word, "partly");
});

test("a failure fails the run", () => {
  const { closing, code } = summarize([{ name: "a", took: "1 s", failure: "boom" }, { name: "b", took: "1 s" }], "2 s");
  assert.equal(closing, "1 of 2 steps passed, 1 FAILED, in 2 s");
  assert.equal(code, 1);
});

test("the reporter names skipped tests and only those", () => {
  const folder = mkdtempSync(join(tmpdir(), "loge-skips-"));
  try {
    const file = join(folder, "some.test.mjs");
    writeFileSync(file, 'import { test } from "node:test";\ntest("runs", () => {});\ntest("left out", { skip: "no kernel" }, () => {});\n');
    const out = join(folder, "skips");
    const env = { ...process.env };
    delete env.NODE_TEST_CONTEXT; // else the inner run reports to this one
    const done = spawnSync(process.execPath, ["--test", `--test-reporter=${skipsReporter}`, `--test-reporter-destination=${out}`, file], { env, encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
    assert.equal(readFileSync(out, "utf8"), "left out (no kernel)\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
