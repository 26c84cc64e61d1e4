// Who sits at this page. Starts from the cookie, a desktop ticket or a setup code in the address.
import { api } from "../api/client";
import { failureOf } from "../api/errors";
import type { Login, Preferences, ServerInfo, User } from "../api/types";
import { live } from "../live/live.svelte";
import { maySignInAgain, rememberSignIn } from "./remembered";
import { theme } from "./theme.svelte";

export type Phase = "starting" | "unreachable" | "ready";

class Session {
  #phase = $state<Phase>("starting");
  #user = $state.raw<User | null>(null);
  #server = $state.raw<ServerInfo | null>(null);
  /** Where somebody was when the session ended under their hands. */
  #ended = $state(false);
  setupCode = "";

  get phase() {
    return this.#phase;
  }
  get user() {
    return this.#user;
  }
  get server() {
    return this.#server;
  }
  get ended() {
    return this.#ended;
  }
  get isAdmin() {
    return this.#user?.role === "admin";
  }

  constructor() {
    api.onsession = (login) => this.#take(login);
  }

  async start(): Promise<void> {
    const hash = new URLSearchParams(location.hash.slice(1));
    const ticket = hash.get("ticket");
    this.setupCode = hash.get("setup") ?? this.setupCode;
    // One-time secrets do not belong into the history.
    if (ticket || hash.has("setup")) history.replaceState(history.state, "", location.pathname + location.search);
    for (let wait = 500; ; wait = Math.min(wait * 2, 5000)) {
      try {
        this.#server = await api.get<ServerInfo>("/server", { anonymous: true });
        if (!this.#server.setup_required) await this.#resume(ticket);
        this.#phase = "ready";
        return;
      } catch {
        this.#phase = "unreachable";
        await new Promise((done) => setTimeout(done, wait));
      }
    }
  }

  async signIn(username: string, password: string) {
    await api.signIn("/auth/login", { username, password, device: deviceName() });
  }
  async register(invite: string, username: string, password: string) {
    await api.signIn("/auth/register", { invite, username, password });
  }
  async setUp(code: string, username: string, password: string) {
    await api.signIn("/setup", { code, username, password });
    if (this.#server) this.#server = { ...this.#server, setup_required: false };
  }
  async signOut() {
    await api.signOut().catch(() => {});
    this.#ended = false;
  }

  /** Throws only when the house did not answer; "not signed in" is an answer. */
  async #resume(ticket: string | null) {
    try {
      if (ticket) await api.signIn("/auth/ticket", { ticket });
      else if (maySignInAgain(() => localStorage)) await api.renew();
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== "refused" || failure.status >= 500) throw error;
      if (ticket) await this.#resume(null);
    }
  }

  #take(login: Login | null) {
    rememberSignIn(() => localStorage, login !== null);
    const known = this.#user;
    if (!login) {
      this.#ended = known !== null;
      this.#user = null;
      live.stop();
      return;
    }
    this.#ended = false;
    // A renewal brings the same person: keep the object, so that no page starts over.
    if (known && known.id === login.user.id && known.role === login.user.role && known.username === login.user.username) return;
    this.#user = login.user;
    live.stop();
    live.start();
    void this.#taste();
  }

  async #taste() {
    try {
      theme.set((await api.get<Preferences>("/me/preferences")).theme);
    } catch {
      // The choice of this device stays.
    }
  }
}

function deviceName(): string {
  const agent = navigator.userAgent;
  const engine = /Edg\//.test(agent)
    ? "Edge"
    : /Firefox\//.test(agent)
      ? "Firefox"
      : /Chrome\//.test(agent)
        ? "Chrome"
        : /Safari\//.test(agent)
          ? "Safari"
          : "Browser";
  const system = /Android/.test(agent)
    ? "Android"
    : /iPhone|iPad/.test(agent)
      ? "iOS"
      : /Windows/.test(agent)
        ? "Windows"
        : /Mac OS/.test(agent)
          ? "macOS"
          : /Linux/.test(agent)
            ? "Linux"
            : "";
  if ("__TAURI_INTERNALS__" in window) return "Loge on this computer";
  return system ? `${engine} on ${system}` : engine;
}

export const session = new Session();
