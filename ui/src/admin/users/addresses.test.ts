import { expect, it } from "vitest";
import { isOwnMachine } from "./addresses";

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
