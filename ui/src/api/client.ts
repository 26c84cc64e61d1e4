// The only speaker of HTTP. Keeps the access token in the memory of the page, renews it before it runs out,
// once for everybody who waits, and turns every other answer into an ApiError.
import { deviceSecret } from "./device";
import { ApiError, type Failure, parseProblem } from "./errors";
import type { Login } from "./types";

const BASE = "/api/v1";
/** Renew this long before the end, so that a token never dies on its way. */
const EARLY_MS = 30_000;
const RETRY_MS = [300, 1000];

export interface RequestOptions {
  signal?: AbortSignal;
  /** The page is being left: let the request outlive it. */
  keepalive?: boolean;
  /** Sign-in calls carry no token and must not try to renew one. */
  anonymous?: boolean;
}

export interface Surroundings {
  fetch: typeof fetch;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  /** What this browser is known by; see device.ts. */
  device: () => string;
}

type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export class Client {
  readonly #around: Surroundings;
  #token: { value: string; renewAt: number } | null = null;
  #renewing: Promise<Login> | null = null;
  /** The token of a sign-in whose end the server has not confirmed. */
  #leaving: string | null = null;
  /** Counts sign-ins and sign-outs: a renewal that was asked for before one of them has no say after it. */
  #turn = 0;
  /** Called with every fresh login, and with null when the session has ended. */
  onsession: (login: Login | null) => void = () => {};

  constructor(around: Surroundings) {
    this.#around = around;
  }

  get = <T>(path: string, options?: RequestOptions) => this.#ask<T>("GET", path, undefined, options);
  post = <T>(path: string, body: unknown = {}, options?: RequestOptions) => this.#ask<T>("POST", path, body, options);
  put = <T>(path: string, body: unknown, options?: RequestOptions) => this.#ask<T>("PUT", path, body, options);
  patch = <T>(path: string, body: unknown, options?: RequestOptions) => this.#ask<T>("PATCH", path, body, options);
  delete = <T = void>(path: string, options?: RequestOptions) => this.#ask<T>("DELETE", path, undefined, options);

  /** A call that answers with a login: sign-in, setup, invitation, ticket. */
  async signIn(path: string, body: unknown): Promise<Login> {
    const login = await this.#ask<Login>("POST", path, body, { anonymous: true });
    this.#turn += 1;
    this.#leaving = null;
    this.#accept(login);
    return login;
  }

  /**
   * Signs out: the page forgets who sat here at once, and this throws as long as the server has not said that the sign-in has
   * ended. Asked again, it goes on with the same one.
   */
  async signOut(): Promise<void> {
    this.#leaving = this.#token?.value ?? this.#leaving;
    if (this.#token) this.#end();
    const headers: Record<string, string> = this.#leaving ? { authorization: `Bearer ${this.#leaving}` } : {};
    await this.#send("POST", "/auth/logout", {}, { anonymous: true }, headers);
    this.#leaving = null;
  }

  /** Renews the session from the cookie; everybody who asks meanwhile waits for the same answer. */
  renew(): Promise<Login> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  /** The open stream of events, for the live connection alone. */
  async stream(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#send("GET", path, undefined, { signal }, { ...headers, accept: "text/event-stream" });
    if (!response.body) throw new ApiError({ kind: "garbled", status: response.status });
    return response.body;
  }

  async #renew(): Promise<Login> {
    const turn = this.#turn;
    try {
      const login = await this.#ask<Login>("POST", "/auth/refresh", {}, { anonymous: true });
      if (turn === this.#turn) this.#accept(login);
      return login;
    } catch (error) {
      // Only a clear "no" ends the session. A house that is restarting has not said anything.
      if (turn === this.#turn && error instanceof ApiError && error.failure.kind === "refused" && error.failure.status < 500) this.#end();
      throw error;
    }
  }

  #accept(login: Login) {
    const life = login.expires_in * 1000;
    this.#token = { value: login.access_token, renewAt: this.#around.now() + Math.max(life - EARLY_MS, life / 2) };
    this.onsession(login);
  }

  #end() {
    this.#turn += 1;
    this.#token = null;
    this.onsession(null);
  }

  async #ask<T>(verb: Verb, path: string, body: unknown, options: RequestOptions = {}): Promise<T> {
    const response = await this.#patiently(verb, path, body, options);
    if (response.status === 204 || response.status === 202) {
      const text = await response.text();
      return (text ? JSON.parse(text) : undefined) as T;
    }
    try {
      return (await response.json()) as T;
    } catch {
      throw new ApiError({ kind: "garbled", status: response.status });
    }
  }

  /** Questions may be asked again when nobody answered; orders never are. */
  async #patiently(verb: Verb, path: string, body: unknown, options: RequestOptions): Promise<Response> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#send(verb, path, body, options);
      } catch (error) {
        if (verb !== "GET" || attempt >= RETRY_MS.length || !(error instanceof ApiError) || !passing(error.failure)) throw error;
        await this.#around.sleep(RETRY_MS[attempt] ?? 0);
        if (options.signal?.aborted) throw new ApiError({ kind: "aborted" });
      }
    }
  }

  async #send(verb: Verb, path: string, body: unknown, options: RequestOptions, headers: Record<string, string> = {}): Promise<Response> {
    if (!options.anonymous && this.#token && this.#around.now() >= this.#token.renewAt && !options.keepalive) await this.renew();
    const used = this.#token?.value;
    const response = await this.#once(verb, path, body, options, headers);
    if (response.ok) return response;
    const failure = parseProblem(response.status, await bodyOf(response), response.headers.get("retry-after"));
    if (response.status === 401 && !options.anonymous && used && failure.kind === "refused" && failure.code !== "wrong_credentials") {
      // Somebody else may have renewed the token while this answer was on its way.
      if (this.#token?.value === used) await this.renew();
      const second = await this.#once(verb, path, body, options, headers);
      if (second.ok) return second;
      throw new ApiError(parseProblem(second.status, await bodyOf(second), second.headers.get("retry-after")));
    }
    throw new ApiError(failure);
  }

  async #once(verb: Verb, path: string, body: unknown, options: RequestOptions, headers: Record<string, string>): Promise<Response> {
    const all: Record<string, string> = { accept: "application/json", ...headers };
    if (this.#token && !options.anonymous) all.authorization = `Bearer ${this.#token.value}`;
    // The house refuses every changing call without it, with or without a body: forms of other sites cannot send it.
    if (verb !== "GET") all["content-type"] = "application/json";
    if (path.startsWith("/auth/") || path === "/setup") all["loge-device"] = this.#around.device();
    const init: RequestInit = { method: verb, headers: all, credentials: "same-origin", cache: "no-store" };
    if (body !== undefined) init.body = JSON.stringify(body);
    if (options.signal) init.signal = options.signal;
    if (options.keepalive) init.keepalive = true;
    try {
      return await this.#around.fetch(`${BASE}${path}`, init);
    } catch {
      throw new ApiError(options.signal?.aborted ? { kind: "aborted" } : { kind: "unreachable" });
    }
  }
}

function passing(failure: Failure): boolean {
  return failure.kind === "unreachable" || ((failure.kind === "refused" || failure.kind === "garbled") && [502, 503, 504].includes(failure.status));
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

export const api = new Client({
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
  device: deviceSecret(
    () => localStorage,
    () => crypto.getRandomValues(new Uint8Array(32)),
  ),
});

/** `?a=1&b=2` without the empty ones. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}
