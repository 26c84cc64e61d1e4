// The path of the bytes, measured beside nginx, ServeFile and NestJS in one run.
//
// Everything runs in a network namespace of its own with MTU 1500 and reno: loopback's MTU of
// 65536 gives nginx delayed-ACK stalls, and BBR paces on loopback. CPU is judged, not
// throughput, because client and servers share the cores.
import { spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSandboxed, buildServer, cargo } from "../scripts/lib/cargo.mjs";
import { cacheDir, root, targetDir } from "../scripts/lib/paths.mjs";
import { mustCapture, which } from "../scripts/lib/run.mjs";
import { Refusal, say, warn } from "../scripts/lib/say.mjs";
import { openTestHouse } from "../scripts/lib/test-house.mjs";
import { cpuSeconds, median, named, tree } from "./cpu.mjs";
import { openHouse, start, until } from "./house.mjs";

const GIB = 2 ** 30;
const INSIDE = "LOGE_BENCH_INSIDE";

export async function benchStream(options) {
  if (process.env[INSIDE]) return measure(JSON.parse(process.env[INSIDE]));
  if (process.getuid() !== 0) throw new Refusal("the benchmark makes its own network namespace and needs root for it");
  await cargo(["build", "--release", "--quiet", "-p", "loge-bench"]);
  const programs = { ...(await buildSandboxed({ release: true })), ...(await buildServer({ release: true })) };
  const house = await openTestHouse(programs);
  try {
    const inside = { ...options, env: house.env, nest: ensureNest() };
    const setup = "ip link set lo up mtu 1500; sysctl -qw net.ipv4.tcp_congestion_control=reno; exec \"$@\"";
    const done = spawnSync("unshare", ["-n", "sh", "-c", setup, "sh", process.execPath, join(root, "benches/run.mjs"), "stream"], {
      stdio: "inherit",
      env: { ...process.env, ...house.env, [INSIDE]: JSON.stringify(inside) },
    });
    if (done.status !== 0) throw new Refusal("the measurement failed");
  } finally {
    await house.close();
  }
}

/** NestJS and what it needs, kept out of our own lock file. */
function ensureNest() {
  const folder = join(cacheDir, "bench-peers");
  if (!existsSync(join(folder, "node_modules/@nestjs/core"))) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"private":true}\n');
    mustCapture("npm", ["install", "--no-audit", "--no-fund", "@nestjs/core@10", "@nestjs/common@10", "@nestjs/platform-express@10", "reflect-metadata", "rxjs"], { cwd: folder });
  }
  return join(folder, "node_modules");
}

async function measure({ rounds, runtime, json, env, nest }) {
  const folder = mkdtempSync(join(tmpdir(), "loge-bench-"));
  chmodSync(folder, 0o755);
  const file = makeFilm(folder);
  const variants = [];
  try {
    const loge = await openLoge(folder, file, runtime === "docker" && !env.DOCKER_HOST ? "process" : runtime);
    variants.push(await openNginx(folder, file), loge, await openServeFile(file));
    variants.push(await openNest(file, nest));
    const results = await runRounds(variants, file, rounds);
    report(results, variants, rounds);
    if (json) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
  } finally {
    for (const variant of variants.reverse()) await variant.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A film of 1 GiB: a real one, and a `free` box up to the size. */
function makeFilm(folder) {
  const films = join(folder, "films");
  mkdirSync(films, { mode: 0o755 });
  const file = join(films, "Long Night.mp4");
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=24", "-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart", file]);
  const box = Buffer.alloc(16);
  box.writeUInt32BE(1, 0);
  box.write("free", 4, "latin1");
  box.writeBigUInt64BE(BigInt(GIB - statSync(file).size), 8);
  appendFileSync(file, box);
  truncateSync(file, GIB);
  // Written out for real: holes would be read without a disk.
  mustCapture("sh", ["-c", `dd if=/dev/urandom of="$0" bs=1M seek=64 count=960 conv=notrunc status=none`, file]);
  return file;
}

async function answering(url) {
  for (let i = 0; i < 200; i++) {
    try {
      await (await fetch(url, { headers: { range: "bytes=0-0" } })).arrayBuffer();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Refusal(`nobody answers at ${url}`);
}

async function openNginx(folder, file) {
  if (!which("nginx")) throw new Refusal("nginx is not installed (apt-get install nginx-light)");
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/nginx-${name};`).join(" ");
  const conf = join(folder, "nginx.conf");
  writeFileSync(
    conf,
    `user root; worker_processes 2; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.err warn;
events { worker_connections 1024; }
http { access_log off; sendfile on; sendfile_max_chunk 2m; tcp_nopush on; keepalive_requests 1000000; ${temps}
server { listen 127.0.0.1:9101; location = /file { alias "${file}"; } location = /healthz { return 200 ok; } } }\n`,
  );
  const { child, close } = start("nginx", ["-c", conf]);
  await answering("http://127.0.0.1:9101/file");
  return { name: "nginx", address: "127.0.0.1:9101", path: "/file", ping: "/healthz", pids: () => tree(child.pid), close };
}

async function openServeFile(file) {
  const { child, close } = start(join(targetDir, "release/bench-servefile"), ["127.0.0.1:9102", file]);
  await answering("http://127.0.0.1:9102/file");
  return { name: "ServeFile", address: "127.0.0.1:9102", path: "/file", pids: () => tree(child.pid), close };
}

async function openNest(file, nest) {
  const env = { ...process.env, FILE: file, PORT: "9103", NODE_PATH: nest };
  const { child, close } = start(process.execPath, [join(root, "benches/peers/nest.cjs")], { env });
  await answering("http://127.0.0.1:9103/file");
  return { name: "NestJS", address: "127.0.0.1:9103", path: "/file", pids: () => tree(child.pid), close };
}

/** The real house: an owner, a library with the film, and a play of it. */
async function openLoge(folder, file, runtime) {
  const { child, call, close } = await openHouse({ data: join(folder, "data"), runtime, listen: "127.0.0.1:9100" });
  await call("POST", "/libraries", { name: "Films", kind: "movies", folders: [join(folder, "films")] });
  const title = await until("the film", async () => (await call("GET", "/titles")).items[0]);
  const play = await call("POST", `/titles/${title.id}/play`, {});
  const pids = () => [...new Set([...tree(child.pid), ...named("loge-worker")])];
  return { name: `Loge (${runtime})`, address: "127.0.0.1:9100", path: play.url, ping: "/healthz", pids, close, file };
}

function load(mode, variant, options = {}) {
  const args = [mode, variant.address, variant.path, String(GIB), ...Object.entries(options).map(([k, v]) => `${k}=${v}`)];
  const done = spawnSync(join(targetDir, "release/bench-load"), args, { encoding: "utf8", timeout: 300_000 });
  if (done.status !== 0) throw new Refusal(`${variant.name}, ${mode}: ${done.stderr || done.error}`);
  return JSON.parse(done.stdout);
}

/** One sample: what the client saw, and what the servers spent. */
function sample(variant, mode, options) {
  const pids = variant.pids();
  const before = cpuSeconds(pids);
  const seen = load(mode, variant, options);
  const cpu = cpuSeconds([...new Set([...pids, ...variant.pids()])]) - before;
  return { ...seen, cpu, cpu_per_gib: cpu / seen.gib };
}

const TESTS = {
  "1 client": ["bulk", { conns: 1, per: 16, size: GIB / 4 }],
  "8 clients": ["bulk", { conns: 8, per: 4, size: GIB / 8 }],
  "256 KiB ranges, 8 clients": ["small", { conns: 8, size: 256 * 1024, secs: 4 }],
  "first byte at 500/s, 8 clients": ["small", { conns: 8, size: 64 * 1024, secs: 4, rate: 500 }],
};

async function runRounds(variants, file, rounds) {
  const results = {};
  for (const variant of variants) load("bulk", variant, { conns: 1, per: 1, size: GIB }); // warm page cache
  for (let round = 0; round < rounds; round++) {
    for (const [test, [mode, options]] of Object.entries(TESTS)) {
      for (const variant of round % 2 ? variants : [...variants].reverse()) {
        ((results[test] ??= {})[variant.name] ??= []).push(sample(variant, mode, options));
      }
    }
    for (const variant of variants.filter((v) => v.ping)) {
      load("drop", { ...variant, path: file });
      const seen = sample(variant, "beside", { conns: 4, size: 192 * 2 ** 20, ping: variant.ping });
      ((results["another request beside 4 cold streams"] ??= {})[variant.name] ??= []).push(seen);
    }
    say(`round ${round + 1} of ${rounds} done`);
  }
  return results;
}

const show = (value) => (value === undefined ? "" : value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toFixed(3));

function report(results, variants, rounds) {
  say(`${rounds} rounds, interleaved; medians; × is the median of the ratios to nginx within a round`);
  for (const [test, byVariant] of Object.entries(results)) {
    say("");
    say(test);
    for (const { name } of variants) {
      const samples = byVariant[name];
      if (!samples) continue;
      const of = (key) => (samples[0][key] === undefined ? undefined : median(samples.map((s) => s[key])));
      const ratio = median(samples.map((s, i) => s.cpu_per_gib / byVariant.nginx[i].cpu_per_gib));
      const facts = [`CPU ${show(of("cpu_per_gib"))} s/GiB`, `× ${show(ratio)}`];
      for (const [key, label] of [["gib_per_s", "GiB/s"], ["requests_per_s", "requests/s"], ["first_byte_p50_ms", "ms p50"], ["first_byte_p99_ms", "ms p99"], ["p50_ms", "ms p50"], ["p99_ms", "ms p99"]]) {
        if (of(key) !== undefined) facts.push(`${show(of(key))} ${label}`);
      }
      say(`  ${name.padEnd(16)} ${facts.join("   ")}`);
    }
  }
  const spread = results["8 clients"].nginx.map((s) => s.cpu_per_gib);
  if (Math.max(...spread) / Math.min(...spread) > 1.4) warn("nginx itself varied by more than 40 %: this machine is too busy to judge by this run");
}
