// Somebody with a name and a password, and the HTTP they speak.
import http from "node:http";

export const nowS = () => performance.now() / 1000;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The access token lives for ten minutes. */
const SIGNED_IN_S = 480;

/** The same numbers in every run. */
export function dice(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return state / 2 ** 32;
  };
}

export class Person {
  bytes = 0;
  failures = [];
  agent = new http.Agent({ keepAlive: true });
  #token = null;
  #signedIn = 0;

  constructor({ url, name, password, seed = 0 }) {
    Object.assign(this, { url, name, password, dice: dice(seed) });
  }

  get signedIn() {
    return this.#token !== null;
  }

  async signIn() {
    this.#token = null;
    const answer = await this.#json("POST", "/api/v1/auth/login", { username: this.name, password: this.password });
    this.#token = answer.access_token;
    this.#signedIn = nowS();
  }

  async signOut() {
    await this.#json("POST", "/api/v1/auth/logout");
    this.#token = null;
  }

  /** The API; signs in where that is needed. */
  async call(method, path, body) {
    if (!this.#token || nowS() - this.#signedIn > SIGNED_IN_S) await this.signIn();
    return this.#json(method, `/api/v1${path}`, body);
  }

  headers() {
    return this.#token ? { authorization: `Bearer ${this.#token}` } : {};
  }

  /** Ends every connection. */
  hangUp() {
    this.agent.destroy();
    this.agent = new http.Agent({ keepAlive: true });
  }

  async #json(method, path, body) {
    const bytes = body === undefined ? undefined : JSON.stringify(body);
    const headers = { ...this.headers(), ...(bytes ? { "content-type": "application/json" } : {}) };
    const answer = await this.get(path, { method, headers, body: bytes, keep: true, expect: null, counts: false });
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer}`);
    return answer.length > 0 ? JSON.parse(answer) : null;
  }

  /**
   * Answers the bytes where they are kept. `take` gets them as they come, and `hold`, once, what can
   * pause and resume them.
   */
  get(path, { method = "GET", headers = {}, body, signal, keep, take, hold, expect = 200, agent = this.agent, counts = true } = {}) {
    return new Promise((resolve, reject) => {
      const request = http.request(this.url + path, { method, headers, signal, agent }, (response) => {
        if (expect !== null && response.statusCode !== expect) {
          response.resume();
          return reject(new Error(`${method} ${path.replace(/\/stream\/[^/]+/, "/stream/…")}: ${response.statusCode}, not ${expect}`));
        }
        const kept = [];
        response.on("data", (chunk) => {
          if (counts) this.bytes += chunk.length;
          if (keep) kept.push(chunk);
          take?.(chunk);
        });
        hold?.(response);
        response.once("error", reject);
        response.once("end", () => resolve(Object.assign(Buffer.concat(kept), { status: response.statusCode })));
      });
      request.once("error", reject);
      request.end(body);
    });
  }
}
