// The order and the filter of the container list.
import type { Container } from "../../api/types";

const RANK: Record<Container["state"], number> = { failed: 0, starting: 2, stopping: 3, ready: 4, absent: 5 };

/** What needs somebody comes first, resting loges last, the house always at the very end of its group. */
export function sortContainers(list: readonly Container[]): Container[] {
  const rank = (c: Container) => (c.state === "ready" && c.health === "unhealthy" ? 1 : RANK[c.state]);
  return [...list].sort((a, b) => rank(a) - rank(b) || Number(a.user_id === "house") - Number(b.user_id === "house") || a.username.localeCompare(b.username));
}

export function matches(container: Container, wanted: string): boolean {
  const needle = wanted.trim().toLocaleLowerCase();
  return (
    needle === "" ||
    [container.username, container.state, container.health, container.runtime, container.image].some((t) => t.toLocaleLowerCase().includes(needle))
  );
}
