// System packages: found missing by looking for what they bring, installed through apt, with
// one line that says what and why before anything happens.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { postgresPrograms } from "./postgres.mjs";
import { capture, run, which } from "./run.mjs";
import { Refusal, say, took, warn } from "./say.mjs";

const program = (name) => () => which(name) !== null;
const library = (name) => () => capture("pkg-config", ["--exists", name]).ok;
const anyFile = (folders, name) => () => folders.some((folder) => existsSync(folder) && deepHas(folder, name));
const multiarch = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[process.arch] ?? "x86_64-linux-gnu";
// Debian's own interpreter: another python3 on the PATH does not see Debian's modules.
const debianPython = (module) => () => capture("/usr/bin/python3", ["-c", `import ${module}`]).ok;
const shared = (name) => anyFile([`/usr/lib/${multiarch}`, "/usr/lib"], name);

/** Each group: why a person needs it, and its packages with the probe that finds them; those that are optional may be missing. */
const groups = {
  build: {
    why: "to compile Loge",
    packages: { "build-essential": program("cc"), "pkg-config": program("pkg-config") },
  },
  media: {
    why: "to look into films and to take pictures out of them",
    packages: {
      ffmpeg: () => which("ffmpeg") !== null && which("ffprobe") !== null,
      // The system's own libraries, so that their security updates are ours.
      "libavformat-dev": library("libavformat"),
      "libavcodec-dev": library("libavcodec"),
      "libswscale-dev": library("libswscale"),
      "libavutil-dev": library("libavutil"),
    },
  },
  desktop: {
    why: "for the desktop window",
    packages: {
      "libwebkit2gtk-4.1-dev": library("webkit2gtk-4.1"),
      "libgtk-3-dev": library("gtk+-3.0"),
      "libayatana-appindicator3-dev": library("ayatana-appindicator3-0.1"),
      "librsvg2-dev": library("librsvg-2.0"),
      "libxdo-dev": () => existsSync("/usr/include/xdo.h"),
      "gstreamer1.0-plugins-good": shared("gstreamer-1.0/libgstisomp4.so"),
      "gstreamer1.0-plugins-bad": shared("gstreamer-1.0/libgstvideoparsersbad.so"),
      "gstreamer1.0-libav": shared("gstreamer-1.0/libgstlibav.so"),
    },
  },
  docker: { why: "to give every viewer a container", packages: { "docker.io": program("dockerd") } },
  test: {
    why: "to drive the real programs in tests",
    packages: {
      chromium: program("chromium"),
      xvfb: program("Xvfb"),
      dbus: program("dbus-daemon"),
      "x11-utils": program("xwininfo"),
      "webkit2gtk-driver": program("WebKitWebDriver"),
      "python3-dbus": debianPython("dbus"),
      "python3-gi": debianPython("gi"),
      "nginx-light": program("nginx"),
      // Debian's own, of the older language; the newer one is no package there.
      "docker-compose": program("docker-compose"),
      openssl: program("openssl"),
      // What deploy/traefik/loge.yml is read with.
      "python3-yaml": debianPython("yaml"),
      strace: program("strace"),
      iproute2: program("ip"),
      sqlite3: program("sqlite3"),
      // What the examples of docs/guide/api.md are run with.
      curl: program("curl"),
      jq: program("jq"),
      python3: program("python3"),
      mmdebstrap: program("mmdebstrap"),
      mandoc: program("mandoc"),
      groff: program("groff"),
      zsh: program("zsh"),
      fish: program("fish"),
      postgresql: () => postgresPrograms() !== null,
    },
    // Ubuntu has the first in another form, and its older releases lack the second; the tests that want them say so and are skipped.
    optional: { "firefox-esr": () => which("firefox-esr") !== null || which("firefox") !== null, caddy: program("caddy") },
  },
};

/** Installs what is missing of the named groups. Throws a Refusal that names the command when it cannot. */
export async function ensurePackages(names) {
  const wanted = [];
  const whys = [];
  const nice = [];
  for (const name of names) {
    const missing = Object.entries(groups[name].packages)
      .filter(([, present]) => !present())
      .map(([one]) => one);
    if (missing.length > 0) whys.push(`${missing.join(" ")} (${groups[name].why})`);
    wanted.push(...missing);
    nice.push(
      ...Object.entries(groups[name].optional ?? {})
        .filter(([, present]) => !present())
        .map(([one]) => one),
    );
  }
  if (wanted.length > 0) await install(wanted, whys);
  for (const one of nice) await installOptional(one);
}

async function install(wanted, whys) {

  const byHand = `sudo apt-get install ${wanted.join(" ")}`;
  if (!which("apt-get")) throw new Refusal(`missing: ${whys.join("; ")}. This is not Debian or Ubuntu: please install them with your own package tool (there: ${byHand})`);
  const root = process.getuid() === 0;
  if (!root && !which("sudo")) throw new Refusal(`missing: ${whys.join("; ")}. Please run as root: apt-get install ${wanted.join(" ")}`);
  say(`installing ${whys.join("; ")}${root ? "" : ", through sudo"}`);
  const since = Date.now();
  await apt(root, ["update", "-qq"]).catch(() => warn("apt-get update failed; going on with the lists that are here"));
  await apt(root, ["install", "-y", "-qq", "--no-install-recommends", ...wanted]).catch(() => {
    throw new Refusal(`the packages could not be installed; please try by hand: ${byHand}`);
  });
  say(`installed in ${took(since)}`);
}

/** Whatever comes of it, the rest goes on. */
async function installOptional(name) {
  const root = process.getuid() === 0;
  if (!which("apt-get") || (!root && !which("sudo"))) return warn(`${name} is not there; tests that need it are skipped`);
  say(`installing ${name}${root ? "" : ", through sudo"}`);
  await apt(root, ["update", "-qq"]).catch(() => {});
  await apt(root, ["install", "-y", "-qq", "--no-install-recommends", name]).catch(() => warn(`${name} cannot be installed here; tests that need it are skipped`));
}

function apt(root, args) {
  // Nobody is asked questions, and no daemon is started behind the person's back in a container build.
  const quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a"];
  const command = [...(root ? [] : ["sudo"]), ...quiet, "apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", ...args];
  // apt's own chatter goes away unless it fails: errors arrive on standard error.
  return run(command[0], command.slice(1), { stdio: [root ? "ignore" : "inherit", "ignore", "inherit"] });
}

/** Rust and Node are the two things we do not install ourselves. */
export function ensureToolchain() {
  if (!which("cargo")) throw new Refusal("there is no cargo: please install Rust (rustup, or Debian's rustc and cargo when new enough) and try again");
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) throw new Refusal(`Node ${process.versions.node} is too old: 20.19 or newer is needed`);
}

function deepHas(folder, name) {
  if (existsSync(join(folder, name))) return true;
  // One level down covers the multiarch folders of other machines.
  return readdirSync(folder, { withFileTypes: true }).some((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, name)));
}
