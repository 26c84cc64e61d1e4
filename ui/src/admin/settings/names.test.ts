import { describe, expect, it } from "vitest";
import type { Names } from "../../api/types";
import { askedName, homeAddresses, isAllowed, withoutAsked } from "./names";

const NAMES: Names = { allowed: ["a.example"], configured: ["b.example"], trusted_proxies: [], configured_proxies: [], addresses: [] };

describe("the name in the address of the page", () => {
  const asked = (name: string) => askedName(`?allow=${encodeURIComponent(name)}`);

  it.each([
    ["films.example.org", "films.example.org"],
    ["Films.Example.org.", "films.example.org"],
    ["xn--flms-pma.example", "xn--flms-pma.example"],
    ["my_nas.example", "my_nas.example"],
    ["203.0.113.7", "203.0.113.7"],
    ["[2001:db8::1]", "[2001:db8::1]"],
  ])("%s is asked about", (name, one) => expect(asked(name)).toBe(one));

  it.each([
    "",
    ".",
    "a..b",
    "films example",
    "films.example:80",
    "x@films.example",
    "films.example/x",
    "<b>",
    "fílms.example",
    "2130706433",
    "127.1",
    "0x7f.1",
  ])("%j is not", (name) => expect(asked(name)).toBeNull());

  it("is not longer than a name can be", () => {
    expect(asked(`${"a.".repeat(126)}a`)).not.toBeNull();
    expect(asked(`${"a.".repeat(127)}a`)).toBeNull();
  });

  it("goes, and leaves the rest", () => {
    expect(withoutAsked("?allow=a.example")).toBe("");
    expect(withoutAsked("?x=1&allow=a.example&y=2")).toBe("?x=1&y=2");
  });
});

it("a name is allowed by the owner, by the configuration or with the public address", () => {
  expect(isAllowed(NAMES, "a.example")).toBe(true);
  expect(isAllowed(NAMES, "b.example")).toBe(true);
  expect(isAllowed(NAMES, "c.example")).toBe(false);
  expect(isAllowed({ ...NAMES, public_url: "https://c.example:8443" }, "c.example")).toBe(true);
  expect(isAllowed({ ...NAMES, configured_url: "https://c.example" }, "c.example")).toBe(true);
  expect(isAllowed({ ...NAMES, configured_url: "https://c.example", public_url: "https://d.example" }, "c.example"), "replaced").toBe(false);
});

it("the public address is none of the home network", () => {
  const addresses = ["https://c.example", "http://192.168.1.10:8096"];
  expect(homeAddresses({ ...NAMES, addresses, configured_url: "https://c.example" })).toEqual(["http://192.168.1.10:8096"]);
});
