// Who sits at this page. Starts from the cookie, a desktop ticket or a setup code in the address.
import { api } from "../api/client";
import { failureOf } from "../api/errors";
import type { Login, Preferences, ServerInfo, User } from "../api/types";
import { live } from "../live/live.svelte";
import { maySignInAgain, rememberSignIn } from "./remembered";
import { theme } from "./theme.svelte";

export type Phase = "starting" | "unreachable" | "ready";
/** A sign-out that the server has not confirmed: on its way, or refused and tried again. */
export type Leaving = "no" | "trying" | "failed";

const LEAVING = "loge_leaving";

class Session {
  #phase = $state<Phase>("starting");
  #user = $state.raw<User | null>(null);
  #server = $state.raw<ServerInfo | null>(null);
  /** Where somebody was when the session ended under their hands. */
  #ended = $state(false);
  #leaving = $state<Leaving>("no");
  /** Counts the sign-outs, so that only the last one goes on trying. */
  #departure = 0;
  /** Whether the sign-out is noted in the storage, which all tabs share. */
  #marked = false;
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
  get leaving() {
    return this.#leaving;
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
        // A person signed out on this device, and it was switched off before the server confirmed it. A server that still cannot
        // do so opens the page all the same: an owner may have to sign in to free its disk.
        if (isMarked()) await this.signOut();
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
    await api.signIn("/auth/register", { invite, username, password, device: deviceName() });
  }
  async setUp(code: string, username: string, password: string) {
    await api.signIn("/setup", { code, username, password, device: deviceName() });
    if (this.#server) this.#server = { ...this.#server, setup_required: false };
  }
  /** The page forgets the person at once. Until the server has ended the sign-in this is said, and tried again. */
  async signOut() {
    const departure = ++this.#departure;
    this.#marked = mark(true);
    this.#leaving = "trying";
    if (!(await this.#left())) void this.#keepLeaving(departure);
    this.#ended = false;
  }

  /** Once more, at once. */
  async leaveAgain() {
    await this.#left();
  }

  async #keepLeaving(departure: number) {
    for (let wait = 1000; ; wait = Math.min(wait * 2, 15_000)) {
      await new Promise((done) => setTimeout(done, wait));
      if (departure !== this.#departure || this.#leaving === "no" || (await this.#left())) return;
    }
  }

  async #left(): Promise<boolean> {
    // Another tab has finished the sign-out or signed a person in since: the cookie is no longer the one to end.
    if (this.#marked && !isMarked()) {
      this.#stay();
      return true;
    }
    try {
      await this.#endLeaving();
      return true;
    } catch {
      if (this.#leaving !== "no") this.#leaving = "failed";
      return false;
    }
  }

  /** Throws when the server could not end it. One that it does not know, or that has ended, is over. */
  async #endLeaving() {
    try {
      await api.signOut();
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== "refused" || failure.status >= 500 || failure.status === 429) throw error;
    }
    this.#stay();
  }

  #stay() {
    this.#departure += 1;
    this.#leaving = "no";
    this.#marked = false;
    mark(false);
  }

  /** Throws only when the house did not answer; "not signed in" is an answer. */
  async #resume(ticket: string | null) {
    try {
      if (ticket) await api.signIn("/auth/login", { ticket });
      // The cookie must not bring back the person who is signing out.
      else if (this.#leaving === "no" && maySignInAgain(() => localStorage)) await api.renew();
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
    this.#stay();
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

/** Notes that a sign-out is owed, or no longer. Returns whether the storage took it. */
function mark(leaving: boolean): boolean {
  try {
    if (leaving) localStorage.setItem(LEAVING, "1");
    else localStorage.removeItem(LEAVING);
    return true;
  } catch {
    // Storage is closed or full: it is tried as long as the page is open.
    return false;
  }
}

function isMarked(): boolean {
  try {
    return localStorage.getItem(LEAVING) !== null;
  } catch {
    return false;
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
