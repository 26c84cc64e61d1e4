import { cleanup, fireEvent, render, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api } from "../api/client";
import { ApiError, parseProblem } from "../api/errors";
import { session } from "../app/session.svelte";
import Invite from "./Invite.svelte";

const ENDED = "This invitation is used up or has expired. Ask for a new one.";

beforeEach(() => {
  // The server knows one invitation.
  vi.spyOn(api, "post").mockImplementation(async (_path, body) => {
    if ((body as { invite: string }).invite !== "good") throw new ApiError(parseProblem(410, { code: "invite_invalid", detail: ENDED }, null));
    return undefined as never;
  });
});
afterEach(() => {
  cleanup();
  location.hash = "";
});

it("an ended invitation says so before the form", async () => {
  location.hash = "#ended";
  render(Invite);
  expect(await screen.findByText(ENDED)).toBeTruthy();
  expect(screen.queryByLabelText("Password")).toBeNull();
});

it("a good one asks for a name and a password", async () => {
  location.hash = "#good";
  render(Invite);
  expect(await screen.findByLabelText("Password")).toBeTruthy();
  expect(screen.queryByText(ENDED)).toBeNull();
});

it("another one opened in the same tab is checked as well", async () => {
  location.hash = "#ended";
  render(Invite);
  await screen.findByText(ENDED);
  location.hash = "#good";
  window.dispatchEvent(new Event("hashchange"));
  expect(await screen.findByLabelText("Password")).toBeTruthy();
});

it("one in the path, as older servers wrote it, is taken too", async () => {
  render(Invite, { token: "good" });
  expect(await screen.findByLabelText("Password")).toBeTruthy();
});

it("what is typed is sent, and a refusal is shown with its field", async () => {
  const taken = "This name is taken.";
  const register = vi.spyOn(session, "register").mockRejectedValue(new ApiError(parseProblem(409, { code: "username_taken", detail: taken }, null)));
  location.hash = "#good";
  render(Invite);
  await fireEvent.input(await screen.findByLabelText("Name"), { target: { value: " Ana " } });
  await fireEvent.input(screen.getByLabelText("Password"), { target: { value: "curtain up at eight" } });
  await fireEvent.click(screen.getByRole("button", { name: "Take the seat" }));
  expect(await screen.findByText(taken)).toBeTruthy();
  expect(register).toHaveBeenCalledExactlyOnceWith("good", "Ana", "curtain up at eight");
  expect(screen.getByLabelText("Name").getAttribute("aria-invalid")).toBe("true");
});
