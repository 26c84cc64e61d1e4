import { expect, it } from "vitest";
import type { Container, Vitals } from "../../api/types";
import { lively } from "./lively";

const loge = (user_id: string, over: Partial<Container> = {}) =>
  ({ user_id, state: "ready", limits: { memory_bytes: 1, cpus: 0.5, pids: 9 }, usage: null, ...over }) as Container;
const vitals = { loges: [{ user_id: "a", cpu_percent: 20, memory_bytes: 7 }] } as Vitals;

it("takes the newest use and measures it against the loge's own limit", () => {
  expect(lively([loge("a")], vitals)[0]?.usage).toEqual({ pids: 0, cpu_percent: 20, cpu_of_quota_percent: 40, memory_bytes: 7 });
});
it("leaves alone whom the vitals do not mention, and whoever is gone", () => {
  const before = [loge("b"), loge("a", { state: "absent" })];
  expect(lively(before, vitals)).toEqual(before);
  expect(lively(before, null)).toEqual(before);
});
