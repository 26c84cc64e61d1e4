import { expect, it } from "vitest";
import { isOwnMachine, linksOf } from "./addresses";

it.each([
  ["http://127.0.0.1:8096/invite#a", true],
  ["http://127.8.0.1:8096/invite#a", true],
  ["http://localhost:8096/invite#a", true],
  ["http://[::1]:8096/invite#a", true],
  ["http://192.168.178.20:8096/invite#a", false],
  ["http://nas.fritz.box:8096/invite#a", false],
  ["https://films.example.org/invite#a", false],
  ["http://[fd00::1]:8096/invite#a", false],
])("%s leads only to the own machine: %s", (address, own) => expect(isOwnMachine(address)).toBe(own));

it("hands over the addresses of the network, and the own one only where there is no other", () => {
  const url = "http://127.0.0.1:8096/invite#a";
  const lan = ["http://192.168.178.20:8096/invite#a", "http://[fd00::1]:8096/invite#a"];
  expect(linksOf({ url, urls: lan }, "http://127.0.0.1:8096")).toEqual(lan);
  expect(linksOf({ url, urls: [] }, "http://127.0.0.1:8096")).toEqual([url]);
  expect(linksOf({ url: "/invite#a" }, "http://nas.lan:8096")).toEqual(["http://nas.lan:8096/invite#a"]);
});
