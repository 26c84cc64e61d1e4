// Building the Rust half. All of it shares one target folder outside the checkout.
import { spawn } from "node:child_process";
import { root, targetDir } from "./paths.mjs";
import { capture, mustCapture, run, which } from "./run.mjs";
import { Refusal, say, warn } from "./say.mjs";

const machine = { x64: "x86_64", arm64: "aarch64" }[process.arch];
const musl = `${machine}-unknown-linux-musl`;
const gnu = `${machine}-unknown-linux-gnu`;

export const cargoEnv = (extra = {}) => ({ ...process.env, CARGO_TARGET_DIR: targetDir, ...extra });

/** Runs cargo with its output shown, or the lines of it that `showLine` is for. */
export const cargo = (args, env = {}, showLine) => run("cargo", args, { cwd: root, env: cargoEnv(env), expect: `cargo ${args[0]} failed`, limitS: 2700, showLine });

/**
 * How the worker and the launcher become static: for musl where that target is there or can be
 * fetched, else for glibc with its parts linked in. Both run in an image without any library.
 */
let chosen;
function staticTarget() {
  chosen ??= chooseStaticTarget();
  return chosen;
}

function chooseStaticTarget() {
  const installed = () => mustCapture("rustc", ["--print", "target-libdir", "--target", musl]).trim();
  const has = () => capture("ls", [installed()]).stdout.includes("libstd");
  if (!has() && which("rustup")) {
    say(`adding the Rust target ${musl}, for the program inside the containers`);
    capture("rustup", ["target", "add", musl]);
  }
  if (has()) return { target: musl, env: {} };
  warn(`the Rust target ${musl} cannot be had here: the worker is linked statically against glibc instead`);
  return { target: gnu, env: { [`CARGO_TARGET_${gnu.toUpperCase().replaceAll("-", "_")}_RUSTFLAGS`]: "-C target-feature=+crt-static" } };
}

/**
 * All programs and all tests in one go. Any smaller selection gives some dependency another set of
 * features, and half the tree is compiled once more for it.
 */
const EVERYTHING = Symbol("everything");

/** Builds packages and answers the paths of their programs, by name. Warnings and errors are shown as cargo writes them. */
async function build(packages, { release, target, example, env = {} }) {
  const what = packages === EVERYTHING ? ["--workspace", "--all-targets"] : packages.flatMap((name) => ["-p", name]);
  if (example) what.push("--example", example);
  const args = ["build", "--message-format=json-render-diagnostics", ...what];
  if (release) args.push("--release");
  if (target) args.push("--target", target);
  const programs = {};
  await new Promise((resolve, reject) => {
    const child = spawn("cargo", args, { cwd: root, env: cargoEnv(env), stdio: ["ignore", "pipe", "inherit"] });
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("{")) continue;
        const message = JSON.parse(line);
        // A program and its unit tests carry the same name.
        const program = message.reason === "compiler-artifact" && message.executable && message.target.kind.includes(example ? "example" : "bin") && !message.profile.test;
        if (program) programs[message.target.name] = message.executable;
      }
    });
    child.once("error", (error) => reject(new Refusal(`cargo could not be started: ${error.message}`)));
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Refusal(`cargo could not build ${packages === EVERYTHING ? "everything" : packages.join(", ")}`))));
  });
  return programs;
}

/** The programs that run inside a loge: `{ worker, launcher }`. */
export async function buildSandboxed({ release }) {
  const { target, env } = staticTarget();
  const programs = await build(["loge-worker", "loge-launcher"], { release, target, env });
  return { worker: programs["loge-worker"], launcher: programs["loge-launch"] ?? programs["loge-launcher"] };
}

/** What stands in the worker's place where the walls are tried: `{ probe }`. */
export async function buildProbe() {
  const { target, env } = staticTarget();
  return { probe: (await build(["loge-launcher"], { release: false, target, example: "probe", env })).probe };
}

/**
 * What takes pictures out of films inside a loge: `{ frames }`. It links the system's libav, so it
 * is the one program in there that is not static.
 */
export async function buildFrames({ release }) {
  return { frames: (await build(["loge-frames"], { release }))["loge-frames"] };
}

/** `{ server, frames }`: together, so that what both depend on is compiled once. */
export async function buildServer({ release }) {
  const programs = await build(["loge-server", "loge-frames"], { release });
  return { server: programs["loge-server"], frames: programs["loge-frames"] };
}

/** Everything that tests need besides the static programs: `{ server, desktop, frames }`. */
export async function buildEverything() {
  const programs = await build(EVERYTHING, { release: false });
  return { server: programs["loge-server"], desktop: programs.loge, frames: programs["loge-frames"] };
}

/** `{ desktop, frames }`, together for the same reason. */
export async function buildDesktop({ release }) {
  const programs = await build(["loge", "loge-frames"], { release });
  return { desktop: programs.loge, frames: programs["loge-frames"] };
}
