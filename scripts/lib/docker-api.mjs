// The few words we speak to a Docker engine, over its Unix socket. No client program needed.
import { request } from "node:http";

/** The socket path of a DOCKER_HOST value, or null when it is not a Unix socket. */
export function socketOf(host) {
  return host?.startsWith("unix://") ? host.slice("unix://".length) : null;
}

/** One call. `body` is an object (sent as JSON) or a stream (sent as a tar). Answers `{ status, body }`, body as text. */
export function call(socketPath, method, path, { body, timeoutMs = 120_000 } = {}) {
  return new Promise((resolve, reject) => {
    const stream = body && typeof body.pipe === "function";
    const headers = { host: "engine" };
    if (stream) headers["content-type"] = "application/x-tar";
    else if (body) headers["content-type"] = "application/json";
    const asked = request({ socketPath, method, path, headers, timeout: timeoutMs }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString("utf8") }));
    });
    asked.on("error", reject);
    asked.on("timeout", () => asked.destroy(new Error(`the engine did not answer ${method} ${path} in ${timeoutMs} ms`)));
    if (stream) {
      body.on("error", (error) => asked.destroy(error));
      body.pipe(asked);
    } else {
      asked.end(body ? JSON.stringify(body) : undefined);
    }
  });
}

/** Does an engine answer here? `{ ok: true, version, apiVersion, driver }` or `{ ok: false, reason }`. */
export async function ping(socketPath) {
  try {
    const answer = await call(socketPath, "GET", "/info", { timeoutMs: 5000 });
    if (answer.status !== 200) return { ok: false, reason: `the engine answered ${answer.status}` };
    const info = JSON.parse(answer.body);
    return { ok: true, version: info.ServerVersion, driver: info.Driver, cgroup: info.CgroupVersion };
  } catch (error) {
    const reasons = {
      ENOENT: "no socket there",
      ECONNREFUSED: "nobody listens on the socket",
      EACCES: "this user may not open the socket (a member of the group docker may)",
    };
    return { ok: false, reason: reasons[error.code] ?? error.message };
  }
}
