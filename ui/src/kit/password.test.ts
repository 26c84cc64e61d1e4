import { expect, it } from "vitest";
import { passwordRemark } from "./password";

it("says which rule of length a password breaks, and by how much", () => {
  expect(passwordRemark("")).toBe("");
  expect(passwordRemark("short77")).toBe("1 more character.");
  expect(passwordRemark("long enough")).toBe("");
  expect(passwordRemark("x".repeat(129))).toBe("At most 128 characters; these are 129.");
  // One character each, though two units of UTF-16.
  expect(passwordRemark("\u{1F3AD}".repeat(6))).toBe("2 more characters.");
});
