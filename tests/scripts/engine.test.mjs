// The private engine is only good when nothing of it stays, even after the worst end.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startEngine, stopEngine } from "../../scripts/engine.mjs";
import { call, ping } from "../../scripts/lib/docker-api.mjs";
import { until } from "../../scripts/lib/run.mjs";
import { ensureWorkerImage } from "../../scripts/worker-image.mjs";

async function engine(t) {
  try {
    return await startEngine({ owner: process.pid });
  } catch (error) {
    t.skip(error.message);
    return null;
  }
}

const naming = (folder) =>
  readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
      } catch {
        return false;
      }
    });
const mounts = (folder) => readFileSync("/proc/self/mounts", "utf8").split("\n").filter((line) => line.includes(folder));

test("stopping clears everything away, and stopping twice is harmless", async (t) => {
  const one = await engine(t);
  if (!one) return;
  assert.equal((await ping(one.socket)).ok, true);
  assert.notEqual(naming(one.dir).length, 0, "the control: it runs");
  await stopEngine(one.dir);
  await stopEngine(one.dir);
  assert.equal(existsSync(one.dir), false);
  assert.deepEqual(naming(one.dir), []);
  assert.deepEqual(mounts(one.dir), []);
});

test("a daemon that was killed leaves nothing either", async (t) => {
  const one = await engine(t);
  if (!one) return;
  for (const record of ["docker.pid", "exec/containerd/containerd.pid"]) {
    const path = join(one.dir, record);
    if (existsSync(path)) process.kill(Number(readFileSync(path, "utf8")), "SIGKILL");
  }
  await until(async () => !(await ping(one.socket)).ok, { timeoutMs: 10_000 });
  await stopEngine(one.dir);
  assert.equal(existsSync(one.dir), false);
  assert.deepEqual(naming(one.dir), []);
  assert.deepEqual(mounts(one.dir), []);
});

test("a folder that holds something is refused", async () => {
  await assert.rejects(startEngine({ dir: "/etc" }), process.getuid() === 0 ? /used once/ : /engine/);
});

/** Folders of this control group, in whichever hierarchies there are. */
const groups = (name) => {
  const roots = ["/sys/fs/cgroup", ...readdirSync("/sys/fs/cgroup").map((entry) => join("/sys/fs/cgroup", entry))];
  return roots.map((root) => join(root, name)).filter((path) => existsSync(path));
};

test("nor does a container whose daemon was killed, down to the group around its house", async (t) => {
  if (!process.env.LOGE_WORKER) return t.skip("LOGE_WORKER names no program");
  const one = await engine(t);
  if (!one) return;
  if (!existsSync(join(one.dir, "engine.json"))) return t.skip("the engine was started by another user");
  const house = `loge-${"ab".repeat(16)}`;
  try {
    const image = await ensureWorkerImage({ socket: one.socket, worker: process.env.LOGE_WORKER, frames: process.env.LOGE_FRAMES });
    const Entrypoint = ["/usr/bin/ffmpeg", "-re", "-f", "lavfi", "-i", "anullsrc", "-f", "null", "-"];
    const body = { Image: image, Entrypoint, HostConfig: { NetworkMode: "none", CgroupParent: `/${house}` } };
    const { Id } = JSON.parse((await call(one.socket, "POST", "/containers/create", { body })).body);
    const started = await call(one.socket, "POST", `/containers/${Id}/start`);
    if (started.status !== 204) return t.skip(started.body);
    assert.notEqual(groups(house).length, 0, "the control: the group is there");
    process.kill(JSON.parse(readFileSync(join(one.dir, "engine.json"), "utf8")).pid, "SIGKILL");
  } finally {
    await stopEngine(one.dir);
  }
  assert.deepEqual(groups(house), []);
  assert.deepEqual(naming(one.dir), []);
});
