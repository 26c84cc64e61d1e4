// The proxies of deploy/, run for real: their own files with other names, ports and paths in them.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { connect as connectTwo } from "node:http2";
import https from "node:https";
import { connect as connectPlain, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { root } from "../../../scripts/lib/paths.mjs";
import { eventually } from "./house.mjs";

/** The name that stands in the files of deploy/. */
export const NAME = "films.example.org";

/** A certificate that only these tests trust. */
export function makeCertificate() {
  const folder = mkdtempSync(join(tmpdir(), "loge-tls-"));
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name));
  const what = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", `/CN=${NAME}`, "-addext", `subjectAltName=DNS:${NAME}`];
  const made = spawnSync("openssl", ["req", "-x509", ...what, "-keyout", key, "-out", cert], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  return { cert, key, pem: readFileSync(cert), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Puts other values into a file; each has to be there, so that the file and its test stay together. */
export function derive(text, changes) {
  return changes.reduce((now, [from, to]) => {
    assert.ok(now.includes(from), `the file says ${from}`);
    return now.replaceAll(from, to);
  }, text);
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** nginx with deploy/nginx/loge.conf in front of a house. `alter` changes the file further. */
export async function openNginx(house, certificate, alter = (text) => text) {
  const folder = mkdtempSync(join(tmpdir(), "loge-nx-"));
  const [port, plain] = [await freePort(), await freePort()];
  const file = readFileSync(join(root, "deploy/nginx/loge.conf"), "utf8");
  const live = "/etc/letsencrypt/live/films.example.org";
  const derived = derive(file, [
    [`${live}/fullchain.pem`, certificate.cert],
    [`${live}/privkey.pem`, certificate.key],
    ["server 127.0.0.1:8096;", `server ${new URL(house.url).host};`],
    // Not every machine that runs tests speaks IPv6.
    ["listen [::]:80;", ""],
    ["listen [::]:443 ssl http2;", ""],
    ["listen 80;", `listen 127.0.0.1:${plain};`],
    ["listen 443 ssl http2;", `listen 127.0.0.1:${port} ssl http2;`],
    ["/var/www/acme", join(folder, "acme")],
  ]);
  writeFileSync(join(folder, "loge.conf"), alter(derived));
  mkdirSync(join(folder, "acme/.well-known/acme-challenge"), { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
  writeFileSync(
    join(folder, "nginx.conf"),
    `${process.getuid() === 0 ? "user root;" : ""} worker_processes 2; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log warn;
events { worker_connections 2048; }
http { access_log ${folder}/access.log; ${temporary} include ${folder}/loge.conf; }\n`,
  );
  const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")];
  const checked = spawnSync("nginx", ["-t", ...args], { encoding: "utf8" });
  const read = (name) => readFileSync(join(folder, name), "utf8");
  const proxy = await started(spawn("nginx", args, { stdio: "ignore" }), { folder, port, certificate, said: () => read("error.log") });
  return { ...proxy, plain, checked, acme: join(folder, "acme"), log: () => read("access.log"), errors: () => read("error.log") };
}

/** Caddy with deploy/caddy/Caddyfile in front of a house. */
export async function openCaddy(house, certificate) {
  const folder = mkdtempSync(join(tmpdir(), "loge-cd-"));
  const port = await freePort();
  const file = readFileSync(join(root, "deploy/caddy/Caddyfile"), "utf8");
  const derived = derive(file, [
    ["films.example.org {\n", `https://films.example.org:${port} {\n\tbind 127.0.0.1\n\ttls ${certificate.cert} ${certificate.key}\n`],
    ["127.0.0.1:8096 {", `${new URL(house.url).host} {`],
  ]);
  // A certificate is given, so that nobody is asked for one; and nothing listens for orders.
  writeFileSync(join(folder, "Caddyfile"), `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${derived}`);
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn("caddy", ["run", "--config", join(folder, "Caddyfile"), "--adapter", "caddyfile"], { stdio: ["ignore", "ignore", "pipe"], env });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  return started(child, { folder, port, certificate, said: () => said });
}

async function started(child, { folder, port, certificate, said }) {
  let ended = null;
  const end = new Promise((resolve) => child.once("exit", (code, signal) => resolve((ended = signal ?? code))));
  const pids = () => [child.pid, ...childrenOf(child.pid)];
  const close = async () => {
    const all = pids();
    child.kill("SIGTERM");
    await end;
    // Its workers are not ours to wait for.
    await eventually("the proxy's workers to end", () => all.every((pid) => status(pid) === null));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually("the proxy to listen", () => {
      if (ended !== null) throw new Error(`the proxy ended with ${ended}: ${said()}`);
      return listens(port);
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `https://${NAME}:${port}`, port, ca: certificate.pem, pids, close };
}

const listens = (port) =>
  new Promise((resolve) => {
    const socket = connectPlain(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    }).once("error", () => resolve(false));
  });

function status(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return null; // it ended
  }
}

const childrenOf = (parent) => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && new RegExp(`^PPid:\\s+${parent}$`, "m").test(status(pid) ?? "")).map(Number);

/** Resident memory in bytes, and open descriptors, of programs together. */
export function figures(pids) {
  const rss = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(status(pid) ?? "")?.[1] ?? 0) * 1024;
  const sum = (of) => pids.reduce((all, pid) => all + of(pid), 0);
  return { rss: sum(rss), descriptors: sum((pid) => readdirSync(`/proc/${pid}/fd`).length) };
}

/** A request over HTTP/1.1 and TLS, on a connection of its own. `from`: the client's address, one of this machine's many. */
function request(proxy, path, { method = "GET", headers = {}, from = "127.0.0.7", host } = {}, onAnswer) {
  return https.request(
    {
      host: "127.0.0.1",
      port: proxy.port,
      path,
      method,
      headers: { host: host ?? new URL(proxy.url).host, ...headers },
      localAddress: from,
      servername: NAME,
      ca: proxy.ca,
      agent: false,
    },
    onAnswer,
  );
}

/** Asks, and gives the whole answer. */
export function ask(proxy, path, { body, headers, ...rest } = {}) {
  const json = body === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    request(proxy, path, { ...rest, headers: { ...json, ...headers } }, (answer) => {
      answer.toArray().then((parts) => {
        const bytes = Buffer.concat(parts);
        resolve({ status: answer.statusCode, headers: answer.headers, bytes, text: bytes.toString() });
      }, reject);
    })
      .once("error", reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Asks without TLS: a house itself, or what stands at port 80. */
export function askPlain(origin, path, { method = "GET", headers = {}, from = "127.0.0.7", body } = {}) {
  const { hostname, port } = new URL(origin);
  const json = body === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    http
      .request({ host: hostname, port, path, method, headers: { ...json, ...headers }, localAddress: from, agent: false }, (answer) => {
        answer.toArray().then((parts) => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() }), reject);
      })
      .once("error", reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** One request over HTTP/2. */
export async function askTwo(proxy, path, { method = "GET", headers = {}, from = "127.0.0.7" } = {}) {
  const session = connectTwo(proxy.url, {
    createConnection: () => connect({ host: "127.0.0.1", port: proxy.port, servername: NAME, ca: proxy.ca, localAddress: from, ALPNProtocols: ["h2"] }),
  });
  try {
    return await new Promise((resolve, reject) => {
      session.once("error", reject);
      const stream = session.request({ ":path": path, ":method": method, ...headers });
      let head;
      stream.once("response", (told) => (head = told)).once("error", reject);
      stream.toArray().then((parts) => {
        const bytes = Buffer.concat(parts);
        resolve({ status: head[":status"], headers: head, bytes, text: bytes.toString() });
      }, reject);
    });
  } finally {
    session.destroy();
  }
}

/** A connection that asks for a film and never takes it. Resolves when it has asked. */
export function stall(proxy, path, from) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: proxy.port, servername: NAME, ca: proxy.ca, localAddress: from });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      // What comes of it from here on is looked at, not waited for.
      socket.on("error", () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${new URL(proxy.url).host}\r\n\r\n`, () => resolve(socket));
    });
  });
}

/** Server-sent events as they come. */
export function listen(proxy, token, from, headers = {}) {
  const heard = { text: "", over: false, count: (name) => heard.text.split(`event: ${name}\n`).length - 1 };
  const asked = request(proxy, "/api/v1/events", { headers: { authorization: `Bearer ${token}`, ...headers }, from }, (answer) => {
    answer.setEncoding("utf8").on("data", (text) => (heard.text += text));
    answer.once("close", () => (heard.over = true)).on("error", () => {});
  });
  asked.on("error", () => (heard.over = true)).end();
  heard.close = () => asked.destroy();
  return heard;
}
