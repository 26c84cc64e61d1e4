// What may be in the worker's image, and that what is in it works under the limits of a loge.
// The engine and the image come from `npm test` (DOCKER_HOST, LOGE_WORKER_IMAGE).
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { call, socketOf } from "../../scripts/lib/docker-api.mjs";
import { mustCapture } from "../../scripts/lib/run.mjs";
import { checkContents, chipDrivers } from "../../scripts/worker-image.mjs";

const image = process.env.LOGE_WORKER_IMAGE;
const socket = socketOf(process.env.DOCKER_HOST);
const skip = image && socket ? false : "no DOCKER_HOST and LOGE_WORKER_IMAGE";
const film = "/films/Night Ferry (2019).mp4";

/** Runs a program of the image as a loge would be run; answers its exit code and what it wrote. */
async function inLoge(entrypoint) {
  const body = {
    Image: image,
    Entrypoint: entrypoint,
    User: "20001:20001",
    NetworkDisabled: true,
    // One plain stream instead of the engine's framing.
    Tty: true,
    HostConfig: {
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges:true"],
      Memory: 512 << 20,
      NanoCpus: 500_000_000,
      PidsLimit: 64,
      Tmpfs: { "/work": "rw,noexec,nosuid,nodev,size=64m,mode=0700,uid=20001,gid=20001" },
      Binds: [`${process.env.LOGE_TEST_MEDIA}/films:/films:ro`],
    },
  };
  const { Id, message } = JSON.parse((await call(socket, "POST", "/containers/create", { body })).body);
  assert.ok(Id, message);
  try {
    const started = await call(socket, "POST", `/containers/${Id}/start`);
    if (started.status !== 204) return { code: null, output: started.body };
    const { StatusCode } = JSON.parse((await call(socket, "POST", `/containers/${Id}/wait`)).body);
    const { body: output } = await call(socket, "GET", `/containers/${Id}/logs?stdout=1&stderr=1`);
    return { code: StatusCode, output };
  } finally {
    await call(socket, "DELETE", `/containers/${Id}?force=1`);
  }
}

test("ffprobe reads a film as a user without any right", { skip }, async () => {
  const { code, output } = await inLoge(["/usr/bin/ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", film]);
  assert.equal(code, 0, output);
  assert.match(output, /^60\.0/);
});

test("ffmpeg makes a poster into the scratch space", { skip }, async () => {
  const { code, output } = await inLoge(["/usr/bin/ffmpeg", "-nostdin", "-v", "error", "-ss", "5", "-i", film, "-frames:v", "1", "/work/poster.jpg"]);
  assert.equal(code, 0, output);
});

test("loge-frames finds its libraries", { skip }, async () => {
  const { code, output } = await inLoge(["/usr/bin/loge-frames", "--version"]);
  assert.equal(code, 0, output);
  assert.match(output, /libavcodec \d+\./);
});

test("it cannot write anywhere else", { skip }, async () => {
  const { code, output } = await inLoge(["/usr/bin/ffmpeg", "-nostdin", "-v", "error", "-i", film, "-frames:v", "1", "/films/poster.jpg"]);
  assert.notEqual(code, 0);
  assert.match(output, /Could not open file/);
});

test("there is no shell to find", { skip }, async () => {
  const { code, output } = await inLoge(["/bin/sh", "-c", "true"]);
  assert.equal(code, null);
  assert.match(output, /no such file/);
});

test("the list of contents refuses a shell, a setuid file and a program among the libraries", () => {
  const cases = [
    [(tree) => writeFileSync(join(tree, "usr/bin/sh"), "", { mode: 0o755 }), /does not belong/],
    [(tree) => chmodSync(join(tree, "usr/bin/ffmpeg"), 0o4755), /special file/],
    [(tree) => writeFileSync(join(tree, "usr/lib/tool"), "", { mode: 0o755 }), /one program too many/],
    [(tree) => writeFileSync(join(tree, "usr/lib/x86_64-linux-gnu/dri/radeonsi_dri.so"), "", { mode: 0o644 }), /another driver/],
    [(tree) => writeFileSync(join(tree, "usr/lib/x86_64-linux-gnu/dri/i965_drv_video.so"), "", { mode: 0o755 }), /one program too many/],
    [(tree) => writeFileSync(join(tree, "usr/lib/x86_64-linux-gnu/dri/i965_drv_video.so"), "", { mode: 0o644 }), null],
    [() => {}, null],
  ];
  for (const [spoil, refusal] of cases) {
    const folder = mkdtempSync(join(tmpdir(), "image-test-"));
    try {
      const tree = join(folder, "tree");
      for (const inside of ["usr/bin", "usr/lib/x86_64-linux-gnu/dri"]) mkdirSync(join(tree, inside), { recursive: true });
      writeFileSync(join(tree, "usr/bin/ffmpeg"), "", { mode: 0o755 });
      spoil(tree);
      const tar = join(folder, "image.tar");
      mustCapture("tar", ["--owner=0", "--group=0", "-C", tree, "-cf", tar, "."]);
      if (refusal) assert.throws(() => checkContents(tar), refusal);
      else assert.doesNotThrow(() => checkContents(tar), "the control");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
});

test("drivers of live encodes are found by name, and nothing else beside them", () => {
  const folder = mkdtempSync(join(tmpdir(), "drivers-test-"));
  try {
    assert.deepEqual(chipDrivers(join(folder, "nowhere")), []);
    for (const name of ["iHD_drv_video.so", "i965_drv_video.so", "radeonsi_dri.so", "xi965_drv_video.so", "i965_drv_video.so.1"]) writeFileSync(join(folder, name), "");
    assert.deepEqual(chipDrivers(folder), [join(folder, "i965_drv_video.so"), join(folder, "iHD_drv_video.so")]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
