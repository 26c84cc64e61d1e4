#!/usr/bin/env node
// Serves ui/dist and answers the whole API from memory, so that every page and state can be looked at without a house.
//   node ui/dev/fixture-server.mjs [--port 5199] [--scenario well|trouble|empty|starting|10000|setup]
// In the browser `?scenario=trouble` and `?as=owner|viewer|nobody` switch (kept in a cookie). No dependencies.
import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { answer, Problem } from "./fixtures/routes.mjs";
import { makeWorld, SCENARIOS, tick, vitals } from "./fixtures/world.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(here, "..", "dist");
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'";
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".ico": "image/x-icon",
};

/** A short real film, made once per machine. */
function clip() {
  const folder = join(tmpdir(), "loge-fixture");
  const file = join(folder, "clip.mp4");
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    spawnSync("ffmpeg", [
      "-v",
      "error",
      "-y",
      "-f",
      "lavfi",
      "-i",
      "mandelbrot=size=854x480:rate=24",
      "-f",
      "lavfi",
      "-i",
      "sine=frequency=220:sample_rate=44100",
      "-t",
      "30",
      "-c:v",
      "libx264",
      "-preset",
      "ultrafast",
      "-pix_fmt",
      "yuv420p",
      "-c:a",
      "aac",
      "-movflags",
      "+faststart",
      file,
    ]);
  }
  return existsSync(file) ? file : null;
}

function sendFile(request, response, file, type, cache) {
  const { size } = statSync(file);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
  if (start > end) return response.writeHead(416, { "content-range": `bytes */${size}` }).end();
  response.writeHead(range ? 206 : 200, {
    "content-type": type,
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    "cache-control": cache,
    ...(range ? { "content-range": `bytes ${start}-${end}/${size}` } : {}),
  });
  if (request.method === "HEAD") return response.end();
  createReadStream(file, { start, end }).pipe(response);
}

function page(request, response, path, dist) {
  const file = normalize(join(dist, path));
  const known = file.startsWith(dist) && existsSync(file) && statSync(file).isFile();
  if (!known && !existsSync(join(dist, "index.html")))
    return response.writeHead(503, { "content-type": "text/plain" }).end("ui/dist is missing: run `npm run build -w ui` first.\n");
  const target = known ? file : join(dist, "index.html");
  response.setHeader("content-security-policy", CSP);
  sendFile(request, response, target, TYPES[extname(target)] ?? "application/octet-stream", "no-store");
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text ? JSON.parse(text) : {};
}

export function start({ port = 0, scenario = process.env.LOGE_FIXTURE ?? "well", dist = DIST } = {}) {
  const worlds = new Map();
  const world = (name) => {
    if (!worlds.has(name)) worlds.set(name, makeWorld(name));
    return worlds.get(name);
  };
  const emit = (target, event) => {
    target.seq += 1;
    for (const listener of target.listeners) listener(`event: ${event.type}\nid: ${target.seq}\ndata: ${JSON.stringify(event)}\n\n`);
  };
  const beat = setInterval(() => {
    for (const one of worlds.values()) {
      for (const event of tick(one)) emit(one, event);
      emit(one, { type: "vitals", ...vitals(one) });
    }
  }, 2000);
  beat.unref();

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://fixture");
    const cookies = Object.fromEntries(
      (request.headers.cookie ?? "")
        .split(/;\s*/)
        .filter(Boolean)
        .map((c) => c.split("=")),
    );
    const set = [];
    const chosen = url.searchParams.get("scenario") ?? cookies.fixture_scenario ?? scenario;
    const name = SCENARIOS.includes(chosen) ? chosen : "well";
    let as = url.searchParams.get("as") ?? cookies.fixture_as ?? "owner";
    if (url.searchParams.has("scenario")) set.push(`fixture_scenario=${name}; Path=/`);
    if (url.searchParams.has("as")) set.push(`fixture_as=${as}; Path=/`);
    if (name === "setup" && world(name).server.setup_required) as = "nobody";
    const mine = world(name);
    const ctx = {
      world: mine,
      as,
      emit: (event) => emit(mine, event),
      setAs: (value) => {
        ctx.as = value;
        set.push(`fixture_as=${value}; Path=/`);
        response.setHeader("set-cookie", set);
      },
    };
    if (set.length) response.setHeader("set-cookie", set);
    try {
      if (url.pathname === "/healthz" || url.pathname === "/readyz")
        return response.writeHead(200, { "content-type": "application/json" }).end('{"status":"ok"}');
      if (url.pathname.startsWith("/stream/")) {
        const film = clip();
        if (!film) throw new Problem(409, "file_missing", "The file of this title is not there at the moment.");
        return sendFile(request, response, film, "video/mp4", "private, no-store");
      }
      if (url.pathname === "/api/v1/events") {
        response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
        const listener = (text) => response.write(text);
        mine.listeners.add(listener);
        request.on("close", () => mine.listeners.delete(listener));
        listener(`event: hello\nid: ${mine.seq}\ndata: ${JSON.stringify({ type: "hello", seq: mine.seq })}\n\n`);
        if (ctx.as !== "viewer") listener(`event: vitals\nid: ${mine.seq}\ndata: ${JSON.stringify({ type: "vitals", ...vitals(mine) })}\n\n`);
        return;
      }
      if (url.pathname.startsWith("/api/v1/")) {
        const body = ["GET", "HEAD"].includes(request.method) ? {} : await bodyOf(request);
        const reply = answer(request.method, url.pathname.slice("/api/v1".length), url.searchParams, body, ctx);
        if (reply.raw) return response.writeHead(200, { "content-type": reply.type, "cache-control": reply.cache }).end(reply.raw);
        response.writeHead(reply.status, { "content-type": "application/json", "cache-control": "no-store" });
        return response.end(reply.status === 204 ? undefined : JSON.stringify(reply.body));
      }
      if (url.pathname === "/api/openapi.json" || url.pathname === "/api/docs")
        return response.writeHead(200, { "content-type": "application/json" }).end("{}");
      page(request, response, url.pathname, dist);
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(500, "internal", String(error?.message ?? error));
      if (!(error instanceof Problem)) process.stderr.write(`${request.method} ${url.pathname}: ${error?.stack}\n`);
      response.writeHead(problem.status, { "content-type": "application/problem+json", "cache-control": "no-store" }).end(JSON.stringify(problem.body));
    }
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      resolve({
        address: `http://127.0.0.1:${server.address().port}`,
        stop: () => {
          clearInterval(beat);
          server.closeAllConnections();
          server.close();
        },
      });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flag = (name, fallback) => {
    const i = process.argv.indexOf(name);
    return i > 0 ? process.argv[i + 1] : fallback;
  };
  const { address } = await start({ port: Number(flag("--port", "5199")), scenario: flag("--scenario", undefined) });
  process.stdout.write(`fixture house on ${address} (scenarios: ${SCENARIOS.join(", ")})\n`);
}
