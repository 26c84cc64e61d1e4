import { describe, expect, it } from "vitest";
import { deviceSecret, type Memory } from "./device";

function memory(): Memory & { all: Map<string, string> } {
  const all = new Map<string, string>();
  return { all, getItem: (key) => all.get(key) ?? null, setItem: (key, value) => void all.set(key, value) };
}
let count = 0;
const random = () => new Uint8Array(32).fill(++count);

describe("the secret of a device", () => {
  it("is made once and is the same in every tab and after a restart", () => {
    const storage = memory();
    const one = deviceSecret(() => storage, random);
    const two = deviceSecret(() => storage, random);
    expect(one()).toMatch(/^[\w-]{43}$/);
    expect(two()).toBe(one());
    expect(deviceSecret(() => storage, random)()).toBe(one());
    expect(deviceSecret(memory, random)()).not.toBe(one());
  });

  it("lasts as long as the page where storage is closed", () => {
    const closed = () => {
      throw new Error("SecurityError");
    };
    const secret = deviceSecret(closed, random);
    expect(secret()).toBe(secret());
  });

  it("is replaced where something else stands in its place, and comes back when the storage was emptied", () => {
    const storage = memory();
    storage.all.set("loge_device", "<script>");
    const secret = deviceSecret(() => storage, random);
    const made = secret();
    expect(made).toMatch(/^[\w-]{43}$/);
    storage.all.clear();
    expect(secret()).toBe(made);
    expect(storage.all.get("loge_device")).toBe(made);
  });
});
