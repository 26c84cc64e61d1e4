import { describe, expect, it } from "vitest";
import source from "../../../crates/domain/src/failure.rs?raw";
import { en } from "../i18n/en";
import { ApiError, codeOf, failureOf, fieldErrors, parseProblem, sayFailure } from "./errors";

describe("what comes back instead of an answer", () => {
  it("knows exactly the codes of the server", () => {
    const list = source.split("codes! {")[1]?.split("\n}")[0] ?? "";
    const codes = [...list.matchAll(/^\s+\w+ = "(\w+)"/gm)].map((m) => m[1] ?? "");
    expect(codes.length).toBeGreaterThan(20);
    expect(Object.keys(en.codes).sort()).toEqual(codes.sort());
  });
  it("reads a problem", () => {
    const failure = parseProblem(503, { code: "house_full", detail: "6 of 6 seats taken.", request_id: "r1", retry_after_ms: 1500 }, null);
    expect(failure).toMatchObject({ kind: "refused", code: "house_full", retryAfterMs: 1500, requestId: "r1" });
    expect(sayFailure(new ApiError(failure))).toBe("6 of 6 seats taken.");
  });
  it("falls back to the code's own sentence", () => {
    expect(sayFailure(new ApiError(parseProblem(401, { code: "wrong_credentials" }, null)))).toBe(en.codes.wrong_credentials);
  });
  it("takes the header when the body has no wait", () => {
    expect(parseProblem(503, { code: "not_ready" }, "2")).toMatchObject({ retryAfterMs: 2000 });
    expect(parseProblem(503, { code: "not_ready" }, null)).toMatchObject({ retryAfterMs: null });
  });
  it("keeps unknown codes apart and never trusts a shape", () => {
    expect(codeOf(new ApiError(parseProblem(400, { code: "from_the_future", detail: "Hm." }, null)))).toBe("unknown");
    expect(codeOf(new ApiError(parseProblem(400, { code: "toString" }, null)))).toBe("unknown");
    expect(parseProblem(502, "<html>", null)).toEqual({ kind: "garbled", status: 502 });
    expect(failureOf(new Error("x"))).toEqual({ kind: "garbled", status: 0 });
  });
  it("hands sentences to their fields", () => {
    const error = new ApiError(parseProblem(400, { code: "invalid_field", fields: [{ field: "name", message: "Give it a name." }, { nonsense: 1 }] }, null));
    expect(fieldErrors(error)).toEqual({ name: "Give it a name." });
  });
});
