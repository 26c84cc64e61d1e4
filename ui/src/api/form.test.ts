import { describe, expect, it } from "vitest";
import { ApiError, parseProblem } from "./errors";
import { formProblems } from "./form";

const refusal = (body: Record<string, unknown>) => new ApiError(parseProblem(422, { detail: "No.", ...body }, null));

describe("a refused form", () => {
  it("marks every field the server names, at once", () => {
    const error = refusal({
      code: "invalid_field",
      fields: [
        { field: "username", message: "may not be empty" },
        { field: "password", message: "is too short" },
      ],
    });
    expect(formProblems(error, ["username", "password"])).toEqual({ fields: { username: "May not be empty.", password: "Is too short." }, whole: "" });
  });
  it("puts the rule a password breaks under the password", () => {
    const error = refusal({ code: "weak_password", detail: "This password is on the list of common ones." });
    expect(formProblems(error, ["username", "password"]).fields).toEqual({ password: "This password is on the list of common ones." });
    expect(formProblems(error, ["current", "new"]).fields).toEqual({ new: "This password is on the list of common ones." });
  });
  it("lets the sentence for the field go before the one of the code", () => {
    const error = refusal({ code: "weak_password", detail: "General.", fields: [{ field: "password", message: "has 5 characters, 8 are needed" }] });
    expect(formProblems(error, ["password"])).toEqual({ fields: { password: "Has 5 characters, 8 are needed." }, whole: "" });
  });
  it("says what belongs to no field of this form about the whole", () => {
    const error = refusal({ code: "invalid_field", fields: [{ field: "device", message: "is too long" }] });
    expect(formProblems(error, ["username"])).toEqual({ fields: {}, whole: "Device: is too long." });
    expect(formProblems(refusal({ code: "invite_invalid", detail: "It has expired." }), ["username"])).toEqual({ fields: {}, whole: "It has expired." });
    expect(formProblems(new ApiError({ kind: "unreachable" }), ["username"]).whole).toMatch(/not responding/);
  });
});
