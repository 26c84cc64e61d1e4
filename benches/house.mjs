// The real house for measurements: a server of its own, an owner signed in, and the API.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Refusal } from "../scripts/lib/say.mjs";

/** Starts a program; `close` ends it and waits. */
export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return { child, close: async () => (child.kill("SIGTERM"), ended) };
}

/** Waits for a condition, at most two minutes unless said otherwise. */
export async function until(what, look, everyMs = 100, minutes = 2) {
  const end = Date.now() + minutes * 60_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Refusal(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Opens a claimed house. `call` speaks JSON with its API as the owner. */
export async function openHouse({ data, runtime, listen = "127.0.0.1:0" }) {
  const { child, close } = start(process.env.LOGE_SERVER, ["serve", "--listen", listen, "--runtime", runtime, "--data-dir", data], {
    env: { ...process.env, LOGE_LOG: "warn" },
  });
  const house = { child, close, base: null };
  const code = await new Promise((resolve, reject) => {
    child.once("exit", (status) => reject(new Refusal(`loge-server ended with ${status}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("listening on ")) house.base = line.slice(13);
      if (line.startsWith("setup code: ")) resolve(line.slice(12));
    });
  });
  let token;
  house.call = async (method, path, body) => {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": "application/json" }) };
    const answer = await fetch(`${house.base}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Refusal(`${method} ${path}: ${answer.status} ${text}`);
    if (text && !answer.headers.get("content-type")?.includes("json")) return text;
    return text ? JSON.parse(text) : null;
  };
  const claimed = await house.call("POST", "/setup", { code, username: "Olga", password: "a long night at the opera" });
  token = claimed.access_token;
  return house;
}
