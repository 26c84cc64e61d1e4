import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, parseProblem } from "../../api/errors";
import type { Names as Way } from "../../api/types";
import { router } from "../../app/router.svelte";
import { toast } from "../../kit/toasts.svelte";
import { calls } from "../calls";
import Names from "./Names.svelte";
import type { NamesForm } from "./names";

const BARE: Way = {
  allowed: ["old.example"],
  configured: [],
  trusted_proxies: ["10.0.0.2"],
  configured_proxies: [],
  unknown_proxy: null,
  public_url: null,
  configured_url: null,
  addresses: ["http://192.168.1.10:8096"],
};
const button = (name: string) => screen.getByRole<HTMLButtonElement>("button", { name });
const press = (name: string) => fireEvent.click(button(name));
const field = (label: string) => screen.getByLabelText<HTMLInputElement>(label);
const type = (label: string, value: string) => fireEvent.input(field(label), { target: { value } });
const refusal = (name: string, message: string) =>
  new ApiError(parseProblem(400, { code: "invalid_field", detail: `${name}: ${message}`, fields: [{ field: name, message }] }, null));

/** The card on a page of a server that has `way`, and does what it is told unless it refuses. */
function card(way: Partial<Way> = {}, refuses?: Error) {
  let now: Way = { ...BARE, ...way };
  const show = (data: Way) => sheet.rerender(props(data));
  const props = (data: Way) => ({
    names: { data, failure: null, loading: false, reload: async () => void (await show(now)), patch: (to: (data: Way) => Way) => void show(to(data)) },
  });
  const set = vi.spyOn(calls, "setNames").mockImplementation(async (form: NamesForm) => {
    if (refuses) throw refuses;
    now = { ...now, ...form };
    now.public_url ||= null;
    if (now.trusted_proxies.includes(now.unknown_proxy ?? "")) now.unknown_proxy = null;
    return now;
  });
  const sheet = render(Names, props(now));
  return { set, now: () => now };
}

beforeEach(() => {
  router.go("/admin/settings", { replace: true });
  vi.spyOn(toast, "good").mockReturnValue(undefined);
  vi.spyOn(toast, "trouble").mockReturnValue(undefined);
});
afterEach(cleanup);

describe("a name that was brought along", () => {
  const QUESTION = "You called this Loge films.example.org. Allow that name?";
  beforeEach(() => router.go("/admin/settings?allow=films.example.org#names", { replace: true }));

  it("is allowed with one press, and is not asked about again", async () => {
    const { set } = card();
    expect(screen.getByRole("group", { name: QUESTION })).toBe(document.activeElement);
    await press("Allow films.example.org");
    expect(set).toHaveBeenCalledExactlyOnceWith({ allowed: ["old.example", "films.example.org"] });
    await waitFor(() => expect(screen.queryByText(QUESTION)).toBeNull());
    expect(button("Remove films.example.org")).toBeTruthy();
    expect(screen.queryByText("films.example.org is already allowed.")).toBeNull();
    expect(location.pathname + location.search + location.hash).toBe("/admin/settings#names");
    expect(toast.good).toHaveBeenCalledExactlyOnceWith("films.example.org is allowed.");
    await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("heading", { name: "Names" })));
  });

  it("stays out after No", async () => {
    const { set } = card();
    await press("No");
    await waitFor(() => expect(screen.queryByText(QUESTION)).toBeNull());
    expect(set).not.toHaveBeenCalled();
    expect(location.search).toBe("");
  });

  it.each<[string, Partial<Way>]>([
    ["by the owner", { allowed: ["films.example.org"] }],
    ["by the configuration", { configured: ["films.example.org"] }],
    ["with the public address", { public_url: "https://films.example.org" }],
  ])("that is allowed already %s is only told so", async (_by, way) => {
    card(way);
    expect(screen.getByText("films.example.org is already allowed.")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Allow films.example.org" })).toBeNull();
    await press("Close");
    await waitFor(() => expect(screen.queryByText("films.example.org is already allowed.")).toBeNull());
    expect(location.search).toBe("");
  });

  it("is still asked about when it was refused, with the reason", async () => {
    card({}, refusal("allowed", "are names like films.example.org"));
    await press("Allow films.example.org");
    const question = screen.getByRole("group", { name: QUESTION });
    await waitFor(() => expect(question.textContent).toContain("Names are names like films.example.org."));
    expect(location.search).toBe("?allow=films.example.org");
    expect(button("Allow films.example.org").disabled).toBe(false);
  });

  it("is not asked about when it cannot be one", () => {
    router.go("/admin/settings?allow=%3Cb%3E", { replace: true });
    card();
    expect(screen.queryByText(/You called this Loge/)).toBeNull();
  });

  it.each([
    ["for a name", "/admin/settings?allow=films.example.org", 1],
    ["for the card", "/admin/settings#names", 1],
    ["and otherwise not", "/admin/settings", 0],
  ])("the card comes into view %s", (_why, address, times) => {
    router.go(address, { replace: true });
    const seen = vi.spyOn(Element.prototype, "scrollIntoView").mockReturnValue(undefined);
    card();
    expect(seen).toHaveBeenCalledTimes(times);
  });
});

describe("reverse proxies", () => {
  const ASKS = "192.168.1.5 says that it asks for others. If it is your proxy, trust it.";

  it("one that says so itself is trusted with one press", async () => {
    const { set } = card({ unknown_proxy: "192.168.1.5" });
    expect(screen.getByRole("group", { name: ASKS })).not.toBe(document.activeElement);
    await press("Trust 192.168.1.5");
    expect(set).toHaveBeenCalledExactlyOnceWith({ trusted_proxies: ["10.0.0.2", "192.168.1.5"] });
    await waitFor(() => expect(screen.queryByText(ASKS)).toBeNull());
    expect(button("Remove 192.168.1.5")).toBeTruthy();
  });

  it("nothing is asked where all are known", () => {
    card();
    expect(screen.queryByText(/asks for others/)).toBeNull();
  });

  it("one is added by its address, and taken away", async () => {
    const { set } = card();
    await type("Address or network of a proxy", " 172.18.0.0/16 ");
    await press("Trust");
    expect(set).toHaveBeenLastCalledWith({ trusted_proxies: ["10.0.0.2", "172.18.0.0/16"] });
    await waitFor(() => expect(field("Address or network of a proxy").value).toBe(""));
    await waitFor(() => expect(button("Remove 10.0.0.2").disabled).toBe(false));
    await press("Remove 10.0.0.2");
    expect(set).toHaveBeenLastCalledWith({ trusted_proxies: ["172.18.0.0/16"] });
    await waitFor(() => expect(screen.queryByRole("button", { name: "Remove 10.0.0.2" })).toBeNull());
  });

  it("those of the configuration cannot be taken away, however often they stand there", () => {
    card({ trusted_proxies: [], configured_proxies: ["10.0.0.3", "10.0.0.3"] });
    expect(screen.getAllByText("10.0.0.3")).toHaveLength(1);
    expect(screen.getByText("from loge.toml or the environment")).toBeTruthy();
    expect(screen.queryByRole("button", { name: /^Remove 10/ })).toBeNull();
  });
});

describe("the public address", () => {
  it("is saved, and taken away with an empty field", async () => {
    const { set, now } = card();
    expect(button("Save").disabled, "nothing to save").toBe(true);
    await type("Address", " https://films.example.org ");
    await press("Save");
    expect(set).toHaveBeenLastCalledWith({ public_url: "https://films.example.org" });
    expect(now().public_url).toBe("https://films.example.org");
    await waitFor(() => expect(toast.good).toHaveBeenLastCalledWith("The public address is saved."));
    expect(field("Address").value).toBe("https://films.example.org");
    await type("Address", "");
    await press("Save");
    expect(set).toHaveBeenLastCalledWith({ public_url: "" });
    await waitFor(() => expect(toast.good).toHaveBeenLastCalledWith("The public address is taken away."));
    expect(field("Address").value).toBe("");
  });

  it("shows the one of the configuration while there is no own one", async () => {
    card({ configured_url: "https://films.example.org" });
    expect(screen.getByText("https://films.example.org")).toBeTruthy();
    expect(field("Address").value).toBe("");
    cleanup();
    card({ configured_url: "https://films.example.org", public_url: "https://other.example" });
    expect(screen.queryByText("https://films.example.org")).toBeNull();
    expect(field("Address").value).toBe("https://other.example");
  });
});

describe("what the server has against it", () => {
  it.each([
    ["allowed", "Another name", "Allow", "are names like a.example", "Names are names like a.example."],
    ["trusted_proxies", "Address or network of a proxy", "Trust", "are addresses like 10.0.0.2", "Proxies are addresses like 10.0.0.2."],
    ["public_url", "Address", "Save", "is an address like https://a.example", "The public address is an address like https://a.example."],
  ])("about %s stands below its own field, which keeps what was typed", async (name, label, verb, message, sentence) => {
    card({}, refusal(name, message));
    await type(label, "nonsense");
    await press(verb);
    await waitFor(() => expect(field(label).getAttribute("aria-invalid")).toBe("true"));
    expect(document.getElementById(field(label).getAttribute("aria-describedby") ?? "")?.textContent).toBe(sentence);
    expect(document.querySelectorAll('[aria-invalid="true"]')).toHaveLength(1);
    expect(field(label).value).toBe("nonsense");
    expect(toast.trouble).not.toHaveBeenCalled();
  });

  it("about nothing in particular is said in a toast", async () => {
    card({}, new ApiError({ kind: "unreachable" }));
    await type("Another name", "films.example.org");
    await press("Allow");
    await waitFor(() => expect(toast.trouble).toHaveBeenCalledOnce());
    expect(document.querySelector('[aria-invalid="true"]')).toBeNull();
    expect(field("Another name").value).toBe("films.example.org");
  });
});
