import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Login } from "../api/types";
import { rememberSignIn } from "./remembered";
// Compiled here, where no time limit of a test runs; each test then loads it again.
import "./session.svelte";

const FULL = { status: 507, body: { code: "disk_full", detail: "The disk is full." } };
const DONE = { status: 204, body: null };
const ANA: Login = { access_token: "a", expires_in: 900, user: { id: "u1", username: "Ana", role: "viewer" } };

/** What the server says to each order; tests change it while the page runs. */
let says: Record<string, { status: number; body: unknown }>;
let asked: string[];
const timesAsked = (path: string) => asked.filter((one) => one === path).length;

/** That of a page that has just been loaded, with nothing in its memory. */
let session: typeof import("./session.svelte").session;

beforeEach(async () => {
  vi.resetModules();
  ({ session } = await import("./session.svelte"));
  const { live } = await import("../live/live.svelte");
  vi.spyOn(live, "start").mockImplementation(() => {});
  vi.useFakeTimers();
  says = {
    "/server": { status: 200, body: { name: "Loge", setup_required: false } },
    "/auth/refresh": { status: 200, body: ANA },
    "/auth/login": { status: 200, body: ANA },
    "/auth/logout": FULL,
    "/me/preferences": { status: 200, body: { theme: "system" } },
  };
  asked = [];
  vi.stubGlobal("fetch", async (address: string) => {
    const path = address.replace("/api/v1", "");
    asked.push(path);
    const { status, body } = says[path] ?? { status: 404, body: null };
    return new Response(body === null ? null : JSON.stringify(body), { status });
  });
  rememberSignIn(() => localStorage, true);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  localStorage.clear();
  location.hash = "";
});

/** The page was reloaded before the server could end the sign-in. */
async function startWhileLeaving() {
  localStorage.setItem("loge_leaving", "1");
  void session.start();
  await vi.advanceTimersByTimeAsync(100);
}

describe("a page that opens while a sign-out is still owed", () => {
  it("opens when the sign-out cannot be saved", async () => {
    await startWhileLeaving();
    expect(session.phase).toBe("ready");
    expect(session.leaving).toBe("failed");
    expect(timesAsked("/auth/refresh"), "the cookie does not bring the person back").toBe(0);
    expect(session.user).toBeNull();

    await session.signIn("Ana", "curtain up at eight");
    expect(session.user?.username).toBe("Ana");
    expect(session.leaving).toBe("no");
    const before = timesAsked("/auth/logout");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(timesAsked("/auth/logout"), "the new sign-in is not ended").toBe(before);
  });

  it("goes on trying until it is saved", async () => {
    await startWhileLeaving();
    await vi.advanceTimersByTimeAsync(1000);
    expect(session.leaving).toBe("failed");
    says["/auth/logout"] = DONE;
    await vi.advanceTimersByTimeAsync(2000);
    expect(session.leaving).toBe("no");
    expect(localStorage.getItem("loge_leaving")).toBeNull();
    expect(timesAsked("/auth/logout")).toBe(3);
  });

  it("leaves the cookie alone once another tab has signed a person in", async () => {
    await startWhileLeaving();
    localStorage.removeItem("loge_leaving");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(timesAsked("/auth/logout")).toBe(1);
    expect(session.leaving).toBe("no");
  });

  it("takes a ticket, which is a sign-in of its own", async () => {
    location.hash = "#ticket=t1";
    await startWhileLeaving();
    expect(session.user?.username).toBe("Ana");
    expect(session.leaving).toBe("no");
  });

  it("does not fall back on the cookie when the ticket is refused", async () => {
    says["/auth/login"] = { status: 401, body: { code: "sign_in_required", detail: "Sign in." } };
    location.hash = "#ticket=t1";
    await startWhileLeaving();
    expect(session.phase).toBe("ready");
    expect(session.user).toBeNull();
    expect(timesAsked("/auth/refresh")).toBe(0);
  });

  // The control: a sign-out that goes through is over before the page shows anything.
  it("opens as usual when the sign-out goes through", async () => {
    says["/auth/logout"] = DONE;
    says["/auth/refresh"] = { status: 401, body: { code: "sign_in_required", detail: "Sign in." } };
    await startWhileLeaving();
    expect(session.phase).toBe("ready");
    expect(session.leaving).toBe("no");
  });
});

it("a sign-out is tried again also where the storage is full", async () => {
  await session.signIn("Ana", "curtain up at eight");
  const full = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: full, removeItem: () => {} });
  await session.signOut();
  expect(session.leaving).toBe("failed");
  says["/auth/logout"] = DONE;
  await vi.advanceTimersByTimeAsync(1000);
  expect(session.leaving).toBe("no");
});
