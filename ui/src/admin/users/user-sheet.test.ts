import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AdminUser } from "../../api/types";
import { calls } from "../calls";
import UserSheet from "./UserSheet.svelte";

const ana: AdminUser = {
  id: "u1",
  username: "Ana",
  role: "viewer",
  disabled: false,
  created_at: "2026-01-01T00:00:00Z",
  last_seen_at: null,
  libraries: [],
  online: false,
};
const open = (user: AdminUser) => render(UserSheet, { user, libraries: [], onclose: () => {}, onchange: async () => {} });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

describe("orders about a person", () => {
  afterEach(cleanup);
  beforeEach(() => {
    vi.spyOn(calls, "changeUser").mockResolvedValue(ana);
    vi.spyOn(calls, "deleteUser").mockResolvedValue(undefined);
  });

  it.each([
    ["Make owner", "Make Ana owner", ana, { role: "admin" }],
    ["Make viewer", "Make Ana viewer", { ...ana, role: "admin" as const }, { role: "viewer" }],
    ["Switch off", "Switch off Ana", ana, { disabled: true }],
  ])("%s asks first", async (first, second, user, change) => {
    open(user);
    await press(first);
    expect(calls.changeUser).not.toHaveBeenCalled();
    await press(second);
    await waitFor(() => expect(calls.changeUser).toHaveBeenCalledExactlyOnceWith("u1", change));
  });

  it("Delete asks first, and can be taken back", async () => {
    open(ana);
    await press("Delete");
    await press("Cancel");
    expect(screen.queryByRole("button", { name: "Delete Ana" })).toBeNull();
    expect(calls.deleteUser).not.toHaveBeenCalled();
  });

  // The control: what asks nothing is done with one press.
  it("Switch on needs no question", async () => {
    open({ ...ana, disabled: true });
    await press("Switch on");
    expect(calls.changeUser).toHaveBeenCalledExactlyOnceWith("u1", { disabled: false });
  });
});
