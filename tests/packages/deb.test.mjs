// The server's package in a fresh machine: installed, served from, updated, removed, purged. Run:
// npm test -- --only packages
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { capture, mustCapture, until, which } from "../../scripts/lib/run.mjs";
import { packServer } from "../../scripts/server-deb.mjs";
import { inTheWay, openMachine } from "./support/machine.mjs";

/** What the unit may get at most; as installed it leaves open what the process sandbox needs, and other versions of systemd count that otherwise. */
const SCORES = { version: 252, sandbox: 2.9, dockerOnly: 2.0 };
const VIEWERS = 8;
const URL = "http://127.0.0.1:8096";
const support = (name) => join(import.meta.dirname, "support", name);

const obstacle = inTheWay();
const scratch = mkdtempSync(join(tmpdir(), "loge-packages-"));
const films = join(scratch, "films");
let [first, second, machine] = [];

before(async () => {
  if (obstacle) return;
  const from = dirname(process.env.LOGE_SERVER ?? assert.fail("LOGE_SERVER is not set; run these tests with: npm test -- --only packages"));
  const pack = (version) => packServer({ from, to: scratch, version, quick: true });
  [first, second] = [pack("0.1.0"), pack("0.2.0~test")];
  makeFilms();
  machine = await openMachine();
});

after(async () => {
  await machine?.close();
  rmSync(scratch, { recursive: true, force: true });
});

function makeFilms() {
  mkdirSync(films);
  const made = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=24", "-f", "lavfi", "-i", "sine", "-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
  const direct = join(films, "Lantern (2021).mp4");
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", ...made, "-c:a", "aac", "-movflags", "+faststart", direct]);
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", "-i", direct, "-c:v", "copy", "-c:a", "ac3", join(films, "Ferry (2020).mkv")]);
}

const film = () => readFileSync(join(films, "Lantern (2021).mp4"));
const show = (property) => machine.must("systemctl", "show", "loge", "-P", property).trim();
const has = (path) => machine.run("test", ["-e", path]).ok;
const install = (deb) => {
  machine.put(deb, "/root");
  return machine.must("dpkg", "--install", `/root/${basename(deb)}`);
};
const inside = (t) => {
  if (obstacle) t.skip(obstacle);
  return !obstacle;
};
const booted = (t) => {
  const reason = obstacle ?? (machine.booted ? null : "systemd cannot run in namespaces of this kernel");
  if (reason) t.skip(reason);
  return !reason;
};

/** Runs a script in the machine's network and answers its last line. */
async function besides(script, args, onLine = () => {}) {
  const child = machine.besides(process.execPath, [support(script), ...args]);
  let last = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    last = line;
    onLine(line);
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 0, `${script} failed`);
  return JSON.parse(last);
}

test("the package holds nothing that a person could trip over", (t) => {
  if (!inside(t)) return;
  const lines = mustCapture("dpkg-deb", ["--contents", first]).trim().split("\n");
  for (const line of lines) {
    assert.match(line, /^([-d]rw[x-]r-[x-]r-[x-]|lrwxrwxrwx) root\/root /, line);
  }
  const places = lines.map((line) => line.split(/\s+/)[5].slice(1));
  for (const place of ["/usr/bin/loge-server", "/usr/lib/loge/loge-worker", "/usr/lib/loge/loge-launch", "/usr/lib/loge/loge-frames", "/usr/lib/systemd/system/loge.service", "/usr/lib/systemd/user/loge.service", "/usr/share/man/man1/loge-server-serve.1.gz", "/usr/share/doc/loge-server/copyright"]) {
    assert.ok(places.includes(place), `${place} is missing`);
  }
  assert.ok(!places.some((place) => place.startsWith("/var/")), "what people own is not the package's");
});

test("it installs, and the programs find each other", (t) => {
  if (!inside(t)) return;
  install(first);
  assert.equal(machine.must("loge-server", "--version"), "loge-server 0.1.0\n");
  assert.match(machine.must("getent", "passwd", "loge"), /^loge:x:\d+:\d+:.*:\/var\/lib\/loge:\/usr\/sbin\/nologin$/m);
  assert.equal(machine.must("stat", "-c", "%U %a", "/var/lib/loge", "/var/cache/loge/segments"), "loge 700\nloge 700\n");
  assert.equal(machine.must("dpkg", "--verify", "loge-server"), "");
  assert.ok(has("/etc/systemd/system/multi-user.target.wants/loge.service"), "it starts with the machine");
  const { checks } = JSON.parse(machine.must("loge-server", "doctor", "--json", "--data-dir", "/var/lib/loge"));
  for (const name of ["worker", "launcher", "frames"]) {
    const check = checks.find((one) => one.name === name);
    assert.ok(check.ok && check.detail.startsWith("/usr/lib/loge/"), JSON.stringify(check));
  }
});

test("manual and completions can be read by what reads them", (t) => {
  if (!inside(t)) return;
  const tree = join(scratch, "tree");
  mustCapture("dpkg-deb", ["--extract", first, tree]);
  const pages = join(tree, "usr/share/man/man1");
  const without = [];
  for (const name of readdirSync(pages)) {
    const page = mustCapture("gzip", ["-dc", join(pages, name)]);
    const rendered = capture("groff", ["-man", "-Tutf8", "-ww"], { input: page });
    if (rendered.code === null) without.push("groff");
    else assert.equal(rendered.stderr, "", name);
  }
  const main = mustCapture("gzip", ["-dc", join(pages, "loge-server.1.gz")]);
  if (which("mandoc")) assert.match(mustCapture("mandoc", ["-Tutf8"], { input: main }).replace(/.\x08/g, ""), /EXIT STATUS[\s\S]*taken/);
  else without.push("mandoc");

  const completions = { bash: "usr/share/bash-completion/completions/loge-server", zsh: "usr/share/zsh/vendor-completions/_loge-server", fish: "usr/share/fish/vendor_completions.d/loge-server.fish" };
  for (const [shell, place] of Object.entries(completions)) {
    if (!which(shell)) without.push(shell);
    else mustCapture(shell, ["-n", join(tree, place)]);
  }
  const asked = `source ${join(tree, completions.bash)}; [[ $(complete -p loge-server) =~ -F" "([^ ]+) ]]; COMP_WORDS=(loge-server do) COMP_CWORD=1; "\${BASH_REMATCH[1]}" loge-server do loge-server; echo "\${COMPREPLY[@]}"`;
  assert.equal(mustCapture("bash", ["-c", asked]).trim(), "doctor");
  if (without.length > 0) t.diagnostic(`not tried, since not installed: ${[...new Set(without)].join(", ")}`);
});

test("the units are sound, and as closed as they say", (t) => {
  if (!inside(t)) return;
  const system = "/usr/lib/systemd/system/loge.service";
  for (const unit of [[system], ["--user", "/usr/lib/systemd/user/loge.service"]]) {
    const said = machine.run("env", ["XDG_RUNTIME_DIR=/run", "systemd-analyze", "verify", "--man=no", ...unit]);
    assert.deepEqual([said.code, said.stderr], [0, ""]);
  }
  const exposure = (unit) => Number(/exposure level for \S+: ([\d.]+)/.exec(machine.run("systemd-analyze", ["security", "--offline=true", "--no-pager", unit]).stdout)[1]);
  const sandbox = exposure(system);
  // Read as one file: without systemd there is nobody to put drop-ins together.
  machine.must("sh", "-c", `mkdir -p /tmp/units && cat ${system} /usr/share/doc/loge-server/examples/docker-only.conf > /tmp/units/loge.service`);
  const dockerOnly = exposure("/tmp/units/loge.service");
  t.diagnostic(`exposure: ${sandbox} with the process sandbox, ${dockerOnly} with Docker only`);
  const version = Number(/^systemd (\d+)/.exec(machine.must("systemctl", "--version"))[1]);
  if (version === SCORES.version) assert.ok(sandbox <= SCORES.sandbox, `${sandbox}`);
  assert.ok(dockerOnly <= SCORES.dockerOnly, `${dockerOnly}`);
});

test("the service plays films out of sandboxes, behind all of its walls", async (t) => {
  if (!booted(t)) return;
  assert.equal(show("ActiveState"), "active", machine.run("journalctl", ["-u", "loge", "-n", "30", "--no-pager"]).stdout);
  assert.match(show("StatusText"), /setup code/);
  machine.put(films, "/srv");
  // Nothing but the right to read them may be needed.
  machine.must("chown", "-R", "root:root", "/srv/films");
  const code = await until(() => /setup code: (\S+)/.exec(machine.must("journalctl", "-u", "loge", "--no-pager"))?.[1], { timeoutMs: 10_000 });
  const evening = await besides("first-evening.mjs", [URL, code, "/srv/films"]);
  assert.deepEqual(evening.methods, ["direct", "remux"]);
  assert.equal(evening.runtime, "process");
  assert.equal(evening.range.status, 206);
  assert.ok(Buffer.from(evening.range.base64, "base64").equals(film().subarray(1000, 2000)), "the film's own bytes");
  assert.equal(evening.segment.status, 200);
  assert.ok(evening.segment.bytes > 10_000, `${evening.segment.bytes}`);
  for (const wall of ["users of its own", "mounts of its own", "processes of its own", "sees its own files only", "system calls"]) {
    assert.ok(evening.isolation.includes(wall), `${wall} is not among ${evening.isolation.join(", ")}`);
  }
  // The server is in a leaf, so that the group above it may limit the sandboxes beside it.
  assert.match(machine.must("cat", `/proc/${show("MainPID")}/cgroup`), /^0::\/system\.slice\/loge\.service\/loge-house$/m);
  const controllers = machine.must("cat", "/sys/fs/cgroup/system.slice/loge.service/cgroup.controllers").split(/\s+/);
  if (controllers.includes("memory")) assert.ok(evening.isolation.includes("memory limit"), evening.isolation.join(", "));
  else t.diagnostic("not tried, since this kernel gives no control group of version 2 with memory: the limit of a sandbox");
  assert.equal(show("NRestarts"), "0");
});

test("films can be read and not written, also on a disk that is plugged in later", (t) => {
  if (!booted(t)) return;
  const inService = (...command) => machine.run("nsenter", ["--target", show("MainPID"), "--mount", ...command]);
  machine.must("sh", "-c", "mkdir -p /media/disk /home/ana/films && mount -t tmpfs disk /media/disk && echo film | tee /media/disk/film /home/ana/films/film");
  for (const film of ["/media/disk/film", "/home/ana/films/film", "/srv/films/Ferry (2020).mkv"]) assert.ok(inService("test", "-r", film).ok, film);
  // As root, whom no mode of a file keeps out: the service's view does.
  for (const folder of ["/srv/films", "/home/ana/films", "/usr/lib/loge", "/etc"]) {
    assert.match(inService("touch", join(folder, "written")).stderr, /Read-only/, folder);
  }
  for (const folder of ["/var/lib/loge", "/var/cache/loge/segments"]) assert.ok(inService("test", "-w", folder).ok, `the control: ${folder}`);
});

test("a restart of the service is a pause that players bridge", async (t) => {
  if (!booted(t)) return;
  const before = show("MainPID");
  let restarted = null;
  const seen = await besides("viewers.mjs", [URL, String(VIEWERS)], (line) => {
    if (line === "playing") restarted = machine.run("systemctl", ["restart", "--no-block", "loge"]);
  });
  assert.ok(restarted.ok, restarted.stderr);
  assert.notEqual(show("MainPID"), before, "the control: it is another process");
  assert.equal(seen.length, VIEWERS);
  assert.ok(seen.some((one) => one.away > 0), "the control: the house was away for a moment");
  const whole = createHash("sha256").update(film()).digest("hex");
  for (const one of seen) assert.equal(one.sha256, whole);
  t.diagnostic(`${VIEWERS} films went on; the longest pause was ${Math.max(...seen.map((one) => one.longestGapMs))} ms`);
});

test("a house that hangs is started anew, one that answers is left alone", async (t) => {
  if (!booted(t)) return;
  machine.must("sh", "-c", "mkdir -p /run/systemd/system/loge.service.d && printf '[Service]\\nWatchdogSec=3\\nRestartSec=100ms\\n' > /run/systemd/system/loge.service.d/quick.conf && systemctl daemon-reload && systemctl restart loge");
  const process = show("MainPID");
  const heard = () => Number(show("WatchdogTimestampMonotonic"));
  const first = heard();
  assert.ok(await until(() => heard() > first + 6e6, { timeoutMs: 30_000, everyMs: 200 }), "it is heard of for twice the patience");
  assert.deepEqual([show("MainPID"), show("NRestarts")], [process, "0"], "the control: that one is left alone");
  machine.must("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "loge");
  assert.ok(await until(() => show("NRestarts") === "1" && show("ActiveState") === "active", { timeoutMs: 20_000, everyMs: 200 }));
  assert.notEqual(show("MainPID"), process);
  machine.must("sh", "-c", "rm -r /run/systemd/system/loge.service.d && systemctl daemon-reload && systemctl restart loge");
});

test("a stop ends it in good order", (t) => {
  if (!booted(t)) return;
  machine.must("systemctl", "stop", "loge");
  assert.deepEqual([show("ActiveState"), show("Result"), show("ExecMainStatus")], ["inactive", "success", "0"]);
  assert.ok(!has("/var/lib/loge/run"), "no socket is left");
});

test("a user has a service of their own, in their own data folder", (t) => {
  if (!booted(t)) return;
  machine.must("sh", "-c", "useradd --create-home --uid 4711 bo && mkdir -p /run/user/4711 && chown bo /run/user/4711 && chmod 700 /run/user/4711");
  // What signing in would start.
  machine.must("systemd-run", "--quiet", "--uid=bo", "-p", "Delegate=yes", "-p", "Type=notify", "-E", "XDG_RUNTIME_DIR=/run/user/4711", "-E", "HOME=/home/bo", "--unit=bo", "/lib/systemd/systemd", "--user");
  const own = (...command) => machine.must("setpriv", "--reuid=bo", "--regid=bo", "--clear-groups", "env", "XDG_RUNTIME_DIR=/run/user/4711", "systemctl", "--user", ...command).trim();
  own("start", "loge");
  assert.match(own("show", "loge", "-P", "StatusText"), /setup code/);
  assert.equal(machine.must("stat", "-c", "%U %a", "/home/bo/.local/share/loge"), "bo 700\n");
  own("stop", "loge");
  assert.equal(own("show", "loge", "-P", "Result"), "success");
  machine.must("systemctl", "stop", "bo");
  machine.must("systemctl", "start", "loge");
});

test("an update keeps the house, and what its administrator chose", (t) => {
  if (!inside(t)) return;
  // Where no service runs, the data folder is still what must outlive it.
  machine.must("sh", "-c", "echo kept > /var/lib/loge/witness && echo '# mine' >> /etc/default/loge && mkdir -p /srv/films && echo film > /srv/films/witness");
  const before = machine.booted && show("MainPID");
  install(second);
  assert.equal(machine.must("dpkg-query", "-W", "-f", "${Version}", "loge-server"), "0.2.0~test");
  assert.equal(machine.must("cat", "/var/lib/loge/witness"), "kept\n");
  assert.match(machine.must("cat", "/etc/default/loge"), /# mine/);
  if (machine.booted) {
    assert.equal(show("ActiveState"), "active");
    assert.notEqual(show("MainPID"), before, "the new program runs");
    assert.match(machine.must("loge-server", "user", "list", "--data-dir", "/var/lib/loge"), /ana/);
  }
  machine.must("systemctl", "disable", ...(machine.booted ? ["--now"] : []), "loge");
  install(second);
  assert.ok(!has("/etc/systemd/system/multi-user.target.wants/loge.service"), "what was switched off stays off");
  if (machine.booted) assert.equal(show("ActiveState"), "inactive");
});

test("removing and purging leave the house and the films", (t) => {
  if (!inside(t)) return;
  machine.must("dpkg", "--remove", "loge-server");
  assert.ok(!has("/usr/lib/loge") && !has("/usr/bin/loge-server"));
  assert.ok(has("/etc/default/loge"), "settings stay until a purge");
  if (machine.booted) assert.notEqual(show("ActiveState"), "active");
  const said = machine.must("dpkg", "--purge", "loge-server");
  assert.match(said, /your house stays in \/var\/lib\/loge/);
  for (const gone of ["/etc/default/loge", "/var/cache/loge"]) assert.ok(!has(gone), gone);
  const traces = machine.must("find", "/etc/systemd", "/var/lib/systemd", "/usr/lib/systemd", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d", "-name", "loge*");
  assert.equal(traces, "");
  assert.equal(machine.must("cat", "/var/lib/loge/witness", "/srv/films/witness"), "kept\nfilm\n");
  assert.equal(machine.must("stat", "-c", "%U %a", "/var/lib/loge"), "loge 700\n");
});
