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
