// `npm run server:deb`: the headless server as a Debian package, with its service, manual and
// completions.
//
//   npm run server:deb -- [--from DIR] [--to DIR] [--version X.Y.Z] [--quick]     prints the package's path
//
// `--from` takes programs that are built already; `--quick` packs without compression, for tests.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { buildSandboxed, buildServer } from "./lib/cargo.mjs";
import { ensurePackages, ensureToolchain } from "./lib/packages.mjs";
import { root, targetDir } from "./lib/paths.mjs";
import { capture, mustCapture } from "./lib/run.mjs";
import { main, Refusal, say, took } from "./lib/say.mjs";
import { buildUi, ensureNodeModules } from "./lib/web.mjs";

const NAME = "loge-server";
/** The server looks for the other three beside itself. */
const PROGRAMS = ["loge-server", "loge-worker", "loge-launch", "loge-frames"];
const HOME = "/usr/lib/loge";
/** Where each file of the repository lies in the package. */
const FILES = {
  "deploy/systemd/loge.service": "/usr/lib/systemd/system/loge.service",
  "deploy/systemd/user/loge.service": "/usr/lib/systemd/user/loge.service",
  "deploy/systemd/loge.service.d/docker-only.conf": `/usr/share/doc/${NAME}/examples/docker-only.conf`,
  "deploy/systemd/loge.service.d/graphics-chip.conf": `/usr/share/doc/${NAME}/examples/graphics-chip.conf`,
  "deploy/sysusers.d/loge.conf": "/usr/lib/sysusers.d/loge.conf",
  "deploy/tmpfiles.d/loge.conf": "/usr/lib/tmpfiles.d/loge.conf",
  "deploy/debian/loge.default": "/etc/default/loge",
};
const SCRIPTS = ["postinst", "prerm", "postrm"];
const COMPLETIONS = {
  bash: `/usr/share/bash-completion/completions/${NAME}`,
  zsh: `/usr/share/zsh/vendor-completions/_${NAME}`,
  fish: `/usr/share/fish/vendor_completions.d/${NAME}.fish`,
};
/** Besides the libraries that the programs are linked to. */
const DEPENDS = ["ffmpeg", "init-system-helpers (>= 1.54~)", "systemd | systemd-standalone-sysusers | systemd-sysusers", "systemd | systemd-standalone-tmpfiles | systemd-tmpfiles"];

/** Packs the programs in the folder `from` and answers the path of the package. */
export function packServer({ from, to, version = ownVersion(), quick = false }) {
  const tree = mkdtempSync(join(tmpdir(), "loge-deb-"));
  try {
    chmodSync(tree, 0o755);
    const put = (place, content, mode = 0o644) => {
      mkdirSync(join(tree, dirname(place)), { recursive: true, mode: 0o755 });
      writeFileSync(join(tree, place), content, { mode });
      chmodSync(join(tree, place), mode);
    };
    for (const name of PROGRAMS) {
      mkdirSync(join(tree, HOME), { recursive: true, mode: 0o755 });
      const packed = join(tree, HOME, name);
      copyFileSync(program(from, name), packed);
      chmodSync(packed, 0o755);
      mustCapture("strip", ["--strip-debug", packed]);
    }
    mkdirSync(join(tree, "usr/bin"), { mode: 0o755 });
    symlinkSync(`../lib/loge/${NAME}`, join(tree, "usr/bin", NAME));
    for (const [source, place] of Object.entries(FILES)) put(place, readFileSync(join(root, source)));
    paper(join(tree, HOME, NAME), put);
    const documents = `/usr/share/doc/${NAME}`;
    const licence = readFileSync(join(root, "LICENSE-MIT"), "utf8").trim().split("\n");
    const copyright = readFileSync(join(root, "deploy/debian/copyright"), "utf8");
    put(`${documents}/copyright`, copyright.replace("@MIT@", licence.map((line) => ` ${line.trim() || "."}`).join("\n")));
    put(`${documents}/changelog.gz`, packed(readFileSync(join(root, "CHANGELOG.md"))));

    put("/DEBIAN/control", control({ tree, version, depends: [...DEPENDS, ...libraries(tree)] }));
    put("/DEBIAN/conffiles", "/etc/default/loge\n");
    put("/DEBIAN/md5sums", sums(tree));
    for (const name of SCRIPTS) put(`/DEBIAN/${name}`, readFileSync(join(root, "deploy/debian", name)), 0o755);
    mkdirSync(to, { recursive: true });
    const deb = join(to, `${NAME}_${version}_${architecture()}.deb`);
    mustCapture("dpkg-deb", ["--root-owner-group", ...(quick ? ["-Znone"] : ["-Zxz"]), "--build", tree, deb]);
    return deb;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

const ownVersion = () => JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
const architecture = () => mustCapture("dpkg", ["--print-architecture"]).trim();
const packed = (content) => gzipSync(content, { level: 9 });

function program(from, name) {
  const path = join(from, name);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new Refusal(`there is no ${name} in ${from}`);
  return path;
}

/** Manual and completions, as the program itself writes them. */
function paper(server, put) {
  const pages = mkdtempSync(join(tmpdir(), "loge-man-"));
  try {
    const made = capture(server, ["man", pages]);
    if (!made.ok) throw new Refusal(`${server} wrote no manual: ${made.stderr.trim()}`);
    for (const name of readdirSync(pages)) put(`/usr/share/man/man1/${name}.gz`, packed(readFileSync(join(pages, name))));
  } finally {
    rmSync(pages, { recursive: true, force: true });
  }
  for (const [shell, place] of Object.entries(COMPLETIONS)) put(place, mustCapture(server, ["completions", shell]));
}

/** The packages of the libraries that our programs are linked to. The worker and the launcher are static. */
function libraries(tree) {
  const scratch = mkdtempSync(join(tmpdir(), "loge-shlibs-"));
  try {
    // It works in the source tree of a package, and this file is all that it wants of one.
    mkdirSync(join(scratch, "debian"));
    writeFileSync(join(scratch, "debian/control"), `Source: ${NAME}\n\nPackage: ${NAME}\nArchitecture: any\n`);
    const linked = ["loge-server", "loge-frames"].map((name) => `-e${join(tree, HOME, name)}`);
    const said = mustCapture("dpkg-shlibdeps", ["-O", ...linked], { cwd: scratch });
    const line = /^shlibs:Depends=(.*)$/m.exec(said)?.[1];
    if (!line) throw new Refusal("dpkg-shlibdeps named no library");
    return line.split(", ");
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function control({ tree, version, depends }) {
  const kilobytes = Math.ceil(files(tree).reduce((sum, path) => sum + statSync(path).size, 0) / 1024);
  return `Package: ${NAME}
Version: ${version}
Architecture: ${architecture()}
Maintainer: The Loge authors <loge@localhost>
Installed-Size: ${kilobytes}
Depends: ${depends.join(", ")}
Suggests: docker.io
Section: video
Priority: optional
Description: private cinema for a household, on one old PC
 Loge serves folders of films to the browsers of a household. Every viewer gets
 an isolated container or sandbox of their own. This package is the server
 without a window, as a service.
`;
}

function sums(tree) {
  const listed = files(tree).filter((path) => !path.startsWith(join(tree, "DEBIAN")) && !path.startsWith(join(tree, "etc")));
  return mustCapture("md5sum", listed.map((path) => path.slice(tree.length + 1)), { cwd: tree });
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : entry.isFile() ? [join(folder, entry.name)] : []))
    .sort();
}

/** The four programs as they are released, in one folder. */
async function built(folder) {
  ensureToolchain();
  await ensurePackages(["build", "media"]);
  await ensureNodeModules();
  await buildUi();
  const { worker, launcher } = await buildSandboxed({ release: true });
  const { server, frames } = await buildServer({ release: true });
  for (const path of [worker, launcher, server, frames]) copyFileSync(path, join(folder, basename(path)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const { values } = parseArgs({ options: { from: { type: "string" }, to: { type: "string" }, version: { type: "string" }, quick: { type: "boolean" } } });
    const scratch = mkdtempSync(join(tmpdir(), "loge-programs-"));
    try {
      if (!values.from) await built(scratch);
      const since = Date.now();
      const to = resolve(values.to ?? join(targetDir, "release/bundle/deb"));
      const deb = packServer({ from: resolve(values.from ?? scratch), to, version: values.version, quick: values.quick });
      say(`packed in ${took(since)}; install it with: sudo apt install ${deb}`);
      console.log(deb);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
}
