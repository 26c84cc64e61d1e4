// The web half: npm packages and the built UI, each renewed only when its sources changed.
import { join } from "node:path";
import { root } from "./paths.mjs";
import { run } from "./run.mjs";
import { unlessFresh } from "./stamp.mjs";

const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];

/** Installs exactly what package-lock.json says, unless that is what is there. */
export function ensureNodeModules() {
  const modules = join(root, "node_modules");
  return unlessFresh(
    // The stamp lives inside, so that it goes when node_modules goes.
    { stamp: join(modules, ".loge-lock"), output: join(modules, ".package-lock.json"), inputs: ["package-lock.json", "package.json", "ui/package.json"].map((name) => join(root, name)) },
    () => run("npm", ["ci", ...quiet], { cwd: root, stdio: ["ignore", "ignore", "inherit"] }),
  );
}

export function buildUi() {
  const dist = join(root, "ui/dist");
  return unlessFresh({ stamp: join(dist, ".loge-sources"), output: join(dist, "index.html"), inputs: [join(root, "ui"), join(root, "package-lock.json")] }, () =>
    uiScript("build"),
  );
}

export const uiScript = (name, ...args) => run("npm", ["run", "--silent", "--workspace", "ui", name, ...(args.length > 0 ? ["--", ...args] : [])], { cwd: root, expect: `npm run ${name} failed in ui/`, limitS: 900 });
