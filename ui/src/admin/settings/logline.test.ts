import { expect, it } from "vitest";
import { readable } from "./logline";

it("reads a structured line", () => {
  expect(
    readable({ timestamp: "2026-11-23T20:01:02.345Z", level: "WARN", target: "loges", message: "loge failed", fields: { "user.id": "u1", tries: 3 } }),
  ).toBe("20:01:02.345 WARN  loges: loge failed user.id=u1 tries=3");
});
it("reads tracing's nested message and flattened fields", () => {
  expect(readable({ level: "INFO", fields: { message: "ready" }, took_ms: 4 })).toBe("INFO  ready took_ms=4");
});
it("survives a line with nothing in it", () => {
  expect(readable({})).toBe("");
});
it("reads a line of the log of requests", () => {
  const line = { timestamp: "2026-11-23T20:01:02.345Z", method: "GET", route: "/api/v1/titles/{id}", status: 200, took_ms: 7 };
  expect(readable({ ...line, user: "u1" })).toBe("20:01:02.345 200 GET /api/v1/titles/{id} 7 ms by u1");
  expect(readable({ ...line, user: null })).toBe("20:01:02.345 200 GET /api/v1/titles/{id} 7 ms");
});
