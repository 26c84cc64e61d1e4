import { describe, expect, it, vi } from "vitest";
import { Client, query } from "./client";
import { codeOf, failureOf } from "./errors";
import type { Login } from "./types";

interface Call {
  verb: string;
  path: string;
  token: string | null;
  init: RequestInit;
}
type Answer = Response | Error | ((call: Call) => Response | Promise<Response>);

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
const problem = (status: number, code: string) => json(status, { code, detail: "" });
const login = (token: string, expires_in = 600): Login => ({ access_token: token, expires_in, user: { id: "u1", username: "ana", role: "viewer" } });

function house(answer: (call: Call, count: number) => Answer) {
  const calls: Call[] = [];
  let time = 0;
  const client = new Client({
    fetch: async (input, init = {}) => {
      const headers = (init.headers ?? {}) as Record<string, string>;
      const call = {
        verb: init.method ?? "GET",
        path: String(input).replace("/api/v1", ""),
        token: headers.authorization?.replace("Bearer ", "") ?? null,
        init,
      };
      calls.push(call);
      const given = answer(call, calls.length);
      if (given instanceof Error) throw given;
      return typeof given === "function" ? given(call) : given;
    },
    now: () => time,
    sleep: async (ms) => {
      time += ms;
    },
    device: () => "d".repeat(43),
  });
  return { client, calls, pass: (ms: number) => (time += ms), asked: (path: string) => calls.filter((c) => c.path === path).length };
}

describe("the API client", () => {
  it("carries the token of the sign-in", async () => {
    const { client, calls } = house((call) => (call.path === "/auth/login" ? json(200, login("t1")) : json(200, { id: "u1" })));
    const seen = vi.fn();
    client.onsession = seen;
    await client.signIn("/auth/login", { username: "ana", password: "x" });
    await client.get("/me");
    expect(calls.map((c) => c.token)).toEqual([null, "t1"]);
    expect(seen).toHaveBeenCalledOnce();
  });

  it("renews before the end, once for everybody", async () => {
    const h = house((call) =>
      call.path === "/auth/login" ? json(200, login("old")) : call.path === "/auth/refresh" ? json(200, login("new")) : json(200, {}),
    );
    await h.client.signIn("/auth/login", {});
    h.pass(571_000);
    await Promise.all([h.client.get("/a"), h.client.get("/b"), h.client.get("/c")]);
    expect(h.asked("/auth/refresh")).toBe(1);
    expect(h.calls.filter((c) => /^\/[abc]$/.test(c.path)).map((c) => c.token)).toEqual(["new", "new", "new"]);
  });

  it("does not renew while there is time (control)", async () => {
    const h = house((call) => (call.path === "/auth/login" ? json(200, login("old")) : json(200, {})));
    await h.client.signIn("/auth/login", {});
    h.pass(569_000);
    await h.client.get("/a");
    expect(h.asked("/auth/refresh")).toBe(0);
  });

  it("on 401 renews once and asks again, orders included", async () => {
    const h = house((call) => {
      if (call.path === "/auth/login") return json(200, login("old"));
      if (call.path === "/auth/refresh") return json(200, login("new"));
      return call.token === "new" ? json(204, undefined) : problem(401, "session_ended");
    });
    await h.client.signIn("/auth/login", {});
    await Promise.all([h.client.put("/x", {}), h.client.post("/y")]);
    expect(h.asked("/auth/refresh")).toBe(1);
    expect(h.asked("/x")).toBe(2);
  });

  it("does not take a wrong present password for the end of the session", async () => {
    const h = house((call) => (call.path === "/auth/login" ? json(200, login("t")) : problem(401, "wrong_credentials")));
    await h.client.signIn("/auth/login", {});
    await expect(h.client.post("/me/password", {})).rejects.toSatisfy((e) => codeOf(e) === "wrong_credentials");
    expect(h.asked("/auth/refresh")).toBe(0);
  });

  it("ends the session when the house says no, not when it is away", async () => {
    let away = true;
    const h = house((call) => {
      if (call.path === "/auth/login") return json(200, login("t"));
      return away ? problem(503, "shutting_down") : problem(401, "session_ended");
    });
    await h.client.signIn("/auth/login", {});
    const seen = vi.fn();
    h.client.onsession = seen;
    await expect(h.client.renew()).rejects.toThrow();
    expect(seen).not.toHaveBeenCalled();
    away = false;
    await expect(h.client.renew()).rejects.toThrow();
    expect(seen).toHaveBeenCalledExactlyOnceWith(null);
  });

  it("shows what the device is known by with sign-ins and renewals, and with nothing else", async () => {
    const h = house((call) => (call.path === "/me" ? json(200, {}) : json(200, login("t"))));
    await h.client.signIn("/auth/login", {});
    await h.client.renew();
    await h.client.get("/me");
    const shown = h.calls.map((c) => (c.init.headers as Record<string, string>)["loge-device"]);
    expect(shown).toEqual(["d".repeat(43), "d".repeat(43), undefined]);
  });

  it("says that a sign-out failed, and ends the same sign-in when asked again", async () => {
    let away = true;
    const h = house((call) => {
      if (call.path === "/auth/login") return json(200, login("t1"));
      return away ? problem(507, "disk_full") : json(204, undefined);
    });
    await h.client.signIn("/auth/login", {});
    const seen = vi.fn();
    h.client.onsession = seen;
    await expect(h.client.signOut()).rejects.toSatisfy((e) => codeOf(e) === "disk_full");
    expect(seen).toHaveBeenCalledExactlyOnceWith(null);
    away = false;
    await h.client.signOut();
    expect(h.calls.filter((c) => c.path === "/auth/logout").map((c) => c.token)).toEqual(["t1", "t1"]);
    expect(h.asked("/auth/refresh")).toBe(0);
  });

  it("asks questions again after a hiccup, never orders", async () => {
    const h = house((_call, count) => (count === 1 ? new TypeError("network") : json(200, { ok: true })));
    await expect(h.client.get("/a")).resolves.toEqual({ ok: true });
    expect(h.asked("/a")).toBe(2);
    const once = house(() => new TypeError("network"));
    await expect(once.client.post("/b")).rejects.toSatisfy((e) => failureOf(e).kind === "unreachable");
    expect(once.asked("/b")).toBe(1);
  });

  it("gives up on a question in the end", async () => {
    const h = house(() => problem(503, "not_ready"));
    await expect(h.client.get("/a")).rejects.toSatisfy((e) => codeOf(e) === "not_ready");
    expect(h.asked("/a")).toBe(3);
  });

  it("sends a JSON content type with every order, also an empty one", async () => {
    const h = house(() => json(204, undefined));
    await h.client.delete("/a");
    await h.client.post("/b");
    expect(h.calls.map((c) => (c.init.headers as Record<string, string>)["content-type"])).toEqual(["application/json", "application/json"]);
  });

  it("is told when somebody signs out while a renewal is on its way", async () => {
    let answer: (r: Response) => void = () => {};
    const h = house((call) => {
      if (call.path === "/auth/login") return json(200, login("t"));
      if (call.path === "/auth/refresh")
        return () =>
          new Promise<Response>((done) => {
            answer = done;
          });
      return json(204, undefined);
    });
    await h.client.signIn("/auth/login", {});
    const seen = vi.fn();
    const renewal = h.client.renew();
    h.client.onsession = seen;
    await h.client.signOut();
    answer(json(200, login("late")));
    await renewal;
    expect(seen).toHaveBeenCalledExactlyOnceWith(null);
  });
});

it("builds queries without the empty parts", () => {
  expect(query({ q: "a b&c", sort: "", cursor: null, limit: 0 })).toBe("?q=a+b%26c&limit=0");
  expect(query({})).toBe("");
});
