// A private PostgreSQL for tests: its own folder, its own port on loopback, durable enough for a
// test and no more. Stopped together with the test house that asked for it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { capture, until, which } from "./run.mjs";
import { Refusal } from "./say.mjs";

const PACKAGED = "/usr/lib/postgresql";

/** The folder with `initdb` and `pg_ctl`: Debian keeps them off the PATH, one folder a version. */
export function postgresPrograms() {
  const versions = existsSync(PACKAGED) ? readdirSync(PACKAGED).sort((a, b) => Number(b) - Number(a)) : [];
  const packaged = versions.map((version) => join(PACKAGED, version, "bin")).find((folder) => existsSync(join(folder, "initdb")));
  if (packaged) return packaged;
  const onPath = which("initdb");
  return onPath ? join(onPath, "..") : null;
}

/** Starts a server in `folder`. Answers `{ url, close }`; throws a Refusal with the server's own words. */
export async function startPostgres(folder) {
  const programs = postgresPrograms();
  if (!programs) throw new Refusal("PostgreSQL is not installed (package: postgresql)");
  // It refuses to run as root, so root lends it the user its package made.
  const as = process.getuid() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : ["env"];
  const call = (program, args) => capture(as[0], [...as.slice(1), join(programs, program), ...args], { cwd: "/" });
  mkdirSync(folder, { recursive: true });
  if (process.getuid() === 0) capture("chown", ["postgres:postgres", folder]);
  const data = join(folder, "data");
  const made = call("initdb", ["-D", data, "-U", "loge", "--auth=trust", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"]);
  if (!made.ok) throw new Refusal(`PostgreSQL could not be set up: ${made.stderr.trim().slice(-500)}`);
  const port = await freePort();
  const log = join(folder, "log");
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=60`;
  const started = call("pg_ctl", ["-D", data, "-l", log, "-w", "-t", "60", "-o", options, "start"]);
  const close = async () => {
    call("pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"]);
    await until(() => !existsSync(join(data, "postmaster.pid")), { timeoutMs: 5000 });
    rmSync(folder, { recursive: true, force: true });
  };
  if (!started.ok) {
    const words = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-3).join(" / ") : started.stderr.trim();
    await close();
    throw new Refusal(`PostgreSQL did not start: ${words}`);
  }
  return { url: `postgres://loge@127.0.0.1:${port}/postgres`, close };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
