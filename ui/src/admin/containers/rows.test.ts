import { describe, expect, it } from "vitest";
import type { Container } from "../../api/types";
import { matches, sortContainers } from "./rows";

const loge = (username: string, over: Partial<Container> = {}): Container => ({
  user_id: username,
  username,
  runtime: "docker",
  state: "ready",
  health: "healthy",
  image: "loge-worker",
  limits: { memory_bytes: 1, cpus: 1, pids: 1 },
  usage: null,
  restarts: 0,
  circuit: "closed",
  oom_count: 0,
  lent_cpus: 0,
  isolation: [],
  ...over,
});

describe("the container list", () => {
  it("puts what needs somebody first", () => {
    const list = [
      loge("calm"),
      loge("house"),
      loge("asleep", { state: "absent" }),
      loge("ill", { health: "unhealthy" }),
      loge("dead", { state: "failed" }),
      loge("bea"),
    ];
    expect(sortContainers(list).map((c) => c.username)).toEqual(["dead", "ill", "bea", "calm", "house", "asleep"]);
  });
  it("filters by what people type", () => {
    expect(matches(loge("Ana"), " an ")).toBe(true);
    expect(matches(loge("Ana", { state: "failed" }), "fail")).toBe(true);
    expect(matches(loge("Ana"), "zzz")).toBe(false);
  });
});
