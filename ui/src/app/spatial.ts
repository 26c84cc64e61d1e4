// Arrow keys move the focus to the nearest thing in that direction, as on a television.

interface Spot {
  left: number;
  right: number;
  top: number;
  bottom: number;
}
export type Direction = "left" | "right" | "up" | "down";

const KEYS: Record<string, Direction> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

/** The index of the best neighbour, or -1. Straight ahead counts more than near but aside. */
export function nearest(from: Spot, direction: Direction, others: readonly Spot[]): number {
  const sideways = direction === "left" || direction === "right";
  let best = -1;
  let cost = Number.POSITIVE_INFINITY;
  for (const [index, to] of others.entries()) {
    const ahead =
      direction === "left"
        ? from.left - to.right
        : direction === "right"
          ? to.left - from.right
          : direction === "up"
            ? from.top - to.bottom
            : to.top - from.bottom;
    if (ahead < -4) continue;
    const overlap = sideways ? Math.min(from.bottom, to.bottom) - Math.max(from.top, to.top) : Math.min(from.right, to.right) - Math.max(from.left, to.left);
    // Rows are rows: left and right never jump to another line.
    if (sideways && overlap <= 0) continue;
    const aside = overlap > 0 ? 0 : -overlap;
    const offset = sideways ? Math.abs(from.top - to.top) : Math.abs(from.left - to.left);
    const value = Math.max(0, ahead) + aside * 2.5 + offset * 0.3;
    if (value < cost) {
      cost = value;
      best = index;
    }
  }
  return best;
}

export function moveFocus(event: KeyboardEvent, within: HTMLElement) {
  const direction = KEYS[event.key];
  const from = document.activeElement;
  if (!direction || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (!(from instanceof HTMLElement) || from.matches("input, select, textarea, [role=tab], [role=slider], [role=menuitem]")) return;
  const all = [...within.querySelectorAll<HTMLElement>("a[href], button:not(:disabled), input, select, summary")].filter(
    (e) => e !== from && e.offsetParent !== null,
  );
  if (!within.contains(from) || from === within) {
    if (direction !== "down" || !all[0]) return;
    event.preventDefault();
    all[0].focus();
    return;
  }
  const at = nearest(
    from.getBoundingClientRect(),
    direction,
    all.map((e) => e.getBoundingClientRect()),
  );
  const next = all[at];
  if (!next) return;
  event.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "smooth" });
}
