// How fast versions are made ahead of time: the house's own commands in a container of the worker's
// image with a part of the processor, as multiples of real time.
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { cargo, cargoEnv } from "../scripts/lib/cargo.mjs";
import { call, socketOf } from "../scripts/lib/docker-api.mjs";
import { targetDir } from "../scripts/lib/paths.mjs";
import { mustCapture } from "../scripts/lib/run.mjs";
import { Refusal, say, warn } from "../scripts/lib/say.mjs";
import { line } from "./line.mjs";

const SECONDS = 60;
const CPUS = [0.5, 1, 2];

export async function encodeSpeeds(folder) {
  if (!process.env.DOCKER_HOST) {
    warn("there is no container engine, and the speed of encodes is left out");
    return null;
  }
  await cargo(["build", "--release", "--quiet", "-p", "loge-bench", "--bin", "bench-encode-args"]);
  const commands = JSON.parse(mustCapture(join(targetDir, "release", "bench-encode-args"), []));
  const films = join(folder, "encoded");
  mkdirSync(films);
  chmodSync(films, 0o755);
  const source = `testsrc2=s=1920x1080:r=24:d=${SECONDS},noise=alls=18:allf=t`;
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "veryfast", "-b:v", "8000k", "-g", "48", "-pix_fmt", "yuv420p", join(films, "film.mp4")], { env: cargoEnv() });
  say("");
  say("making a version of a 1080p film (8 Mbit/s, 24 pictures a second, grain), × real time");
  const results = {};
  for (const [height, args] of Object.entries(commands)) {
    results[height] = {};
    for (const cpus of CPUS) results[height][cpus] = SECONDS / (await inContainer(films, args, cpus));
    line(`${height}p`, ...CPUS.map((cpus) => `${results[height][cpus].toFixed(2)} × at ${cpus} CPU`));
  }
  return results;
}

/** Seconds from start to end, by the engine's clock. */
async function inContainer(films, args, cpus) {
  const socket = socketOf(process.env.DOCKER_HOST);
  const command = args.map((arg) => (arg === "file:/proc/self/fd/0" ? "file:/films/film.mp4" : arg));
  // Where a worker would read, the bytes go nowhere.
  command[command.length - 1] = "file:/dev/null";
  const body = {
    Image: process.env.LOGE_WORKER_IMAGE,
    Entrypoint: ["/usr/bin/ffmpeg", "-y", ...command],
    User: "20001:20001",
    HostConfig: { NetworkMode: "none", ReadonlyRootfs: true, CapDrop: ["ALL"], Memory: 512 << 20, NanoCpus: cpus * 1e9, Binds: [`${films}:/films:ro`] },
  };
  const { Id, message } = JSON.parse((await call(socket, "POST", "/containers/create", { body })).body);
  if (!Id) throw new Refusal(message);
  try {
    await call(socket, "POST", `/containers/${Id}/start`);
    await call(socket, "POST", `/containers/${Id}/wait`, { timeoutMs: 900_000 });
    const { State } = JSON.parse((await call(socket, "GET", `/containers/${Id}/json`)).body);
    if (State.ExitCode !== 0) {
      const { body: said } = await call(socket, "GET", `/containers/${Id}/logs?stdout=1&stderr=1`);
      throw new Refusal(`ffmpeg ended with ${State.ExitCode}: ${said.slice(0, 500)}`);
    }
    return (Date.parse(State.FinishedAt) - Date.parse(State.StartedAt)) / 1000;
  } finally {
    await call(socket, "DELETE", `/containers/${Id}?force=1`);
  }
}
