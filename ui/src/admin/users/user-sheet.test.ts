import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AdminUser, Library } from "../../api/types";
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

describe("grants", () => {
  afterEach(cleanup);
  const library = (id: string, name: string) => ({ id, name, title_count: 1 }) as Library;
  const libraries = [library("l1", "Films"), library("l2", "Shows"), library("l3", "Opera")];
  const box = (name: string) => screen.getByRole<HTMLInputElement>("checkbox", { name: new RegExp(`^${name}`) });
  const ticked = () => ["Films", "Shows", "Opera"].filter((name) => box(name).checked);

  /** The sheet on a page whose list of people is what the server has, which answers each order only when told to. */
  function slowServer() {
    const waiting: { libraries: string[]; answer: (works: boolean) => Promise<void> }[] = [];
    let saved: string[] = [];
    const props = (user: AdminUser = { ...ana, libraries: saved }) => ({ user, libraries, onclose: () => {}, onchange });
    const onchange = async () => void (await sheet.rerender(props()));
    vi.spyOn(calls, "grant").mockImplementation(
      (_user, chosen) =>
        new Promise((resolve, reject) => {
          const answer = async (works: boolean) => {
            if (works) saved = chosen;
            works ? resolve() : reject(new Error("away"));
            await new Promise((done) => setTimeout(done));
          };
          waiting.push({ libraries: chosen, answer });
        }),
    );
    const sheet = render(UserSheet, props());
    const answer = async (works = true) => {
      await waitFor(() => expect(waiting.length).toBeGreaterThan(0));
      const next = waiting.shift();
      await next?.answer(works);
      return next?.libraries;
    };
    return { answer, waiting, saved: () => saved, show: (user?: AdminUser) => sheet.rerender(props(user)) };
  }

  it("two quick ticks are both kept, and a third one builds on them", async () => {
    const server = slowServer();
    await fireEvent.click(box("Films"));
    await fireEvent.click(box("Shows"));
    expect(await server.answer()).toEqual(["l1"]);
    expect(ticked(), "the second one is still on its way").toEqual(["Films", "Shows"]);
    await fireEvent.click(box("Opera"));
    expect(await server.answer()).toEqual(["l1", "l2"]);
    expect(await server.answer()).toEqual(["l1", "l2", "l3"]);
    expect(server.saved()).toEqual(["l1", "l2", "l3"]);
    expect(ticked()).toEqual(["Films", "Shows", "Opera"]);
  });

  it("a list is sent only after the one before, so that none overtakes another", async () => {
    const server = slowServer();
    await fireEvent.click(box("Films"));
    await fireEvent.click(box("Shows"));
    await waitFor(() => expect(server.waiting.length).toBeGreaterThan(0));
    expect(server.waiting.map((one) => one.libraries)).toEqual([["l1"]]);
    await server.answer();
    await server.answer();
  });

  it("a refusal of the last one puts the boxes back to what is saved", async () => {
    const server = slowServer();
    await fireEvent.click(box("Films"));
    await fireEvent.click(box("Shows"));
    await server.answer();
    await server.answer(false);
    await waitFor(() => expect(ticked()).toEqual(["Films"]));
  });

  it("what was ticked for one person is not shown for another, and is still there on the way back", async () => {
    const server = slowServer();
    await fireEvent.click(box("Films"));
    await server.show({ ...ana, id: "u2", username: "Ben" });
    expect(ticked()).toEqual([]);
    await server.show();
    expect(ticked()).toEqual(["Films"]);
    await server.answer();
    expect(ticked()).toEqual(["Films"]);
  });
});
