import { expect, it } from "vitest";
import { maySignInAgain, rememberSignIn } from "./remembered";

function memory(content: Record<string, string> = {}) {
  return () => ({
    getItem: (key: string) => content[key] ?? null,
    setItem: (key: string, value: string) => {
      content[key] = value;
    },
  });
}
const closed = () => {
  throw new DOMException("denied", "SecurityError");
};

it("asks only where a sign-in can be", () => {
  const storage = memory();
  expect(maySignInAgain(storage), "a browser that was never signed in").toBe(false);
  rememberSignIn(storage, true);
  expect(maySignInAgain(storage)).toBe(true);
  rememberSignIn(storage, false);
  expect(maySignInAgain(storage), "signed out").toBe(false);
});

it("keeps the sign-ins of the time before it looked", () => expect(maySignInAgain(memory({ "loge-theme": "system" }))).toBe(true));

it("asks where nothing can be remembered", () => {
  rememberSignIn(closed, false);
  expect(maySignInAgain(closed)).toBe(true);
});
