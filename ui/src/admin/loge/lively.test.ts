import { expect, it } from "vitest";
import type { Container, Vitals } from "../../api/types";
import { lively } from "./lively";

const container = (lent_cpus: number) =>
  ({ user_id: "a", state: "ready", limits: { cpus: 0.5, memory_bytes: 1, pids: 1 }, lent_cpus, usage: null }) as unknown as Container;
const vitals = { loges: [{ user_id: "a", cpu_percent: 50, memory_bytes: 7 }] } as unknown as Vitals;

it("measures use against what a container may take now, lent time included", () => {
  const share = (lent: number) => lively([container(lent)], vitals)[0]?.usage?.cpu_of_quota_percent;
  expect(share(0)).toBe(100);
  expect(share(0.5)).toBe(50);
});
