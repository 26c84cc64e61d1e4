import { describe, expect, it } from "vitest";
import { archPath, arrange, centreOut, dash } from "./arc";

const sizes: [number, number, number][] = [
  [1, 820, 340],
  [2, 820, 340],
  [3, 820, 340],
  [6, 820, 340],
  [8, 820, 340],
  [12, 820, 340],
  [24, 820, 340],
  [50, 1100, 400],
  [6, 700, 330],
  [6, 328, 300],
  [8, 328, 300],
  [24, 328, 300],
  [6, 1500, 420],
];

describe("the theatre", () => {
  it.each(sizes)("shows %i seats in %i × %i, all inside and none over another", (count, width, height) => {
    const plan = arrange(count, width, height);
    expect(plan.places).toHaveLength(count);
    for (const p of plan.places) {
      expect(p.x).toBeGreaterThanOrEqual(0);
      expect(p.x + p.width).toBeLessThanOrEqual(width + 0.5);
      expect(p.y).toBeGreaterThanOrEqual(0);
      expect(p.y + p.height).toBeLessThanOrEqual(plan.height + 0.5);
    }
    plan.places.forEach((a, i) => {
      for (const b of plan.places.slice(i + 1)) {
        const apart = a.x + a.width <= b.x + 0.5 || b.x + b.width <= a.x + 0.5 || a.y + a.height <= b.y + 0.5 || b.y + b.height <= a.y + 0.5;
        expect(apart, `${JSON.stringify(a)} over ${JSON.stringify(b)}`).toBe(true);
      }
    });
  });

  it.each(sizes)("keeps the stage free with %i seats in %i × %i", (count, width, height) => {
    const { places, stage } = arrange(count, width, height);
    for (const p of places) {
      const apart = p.x + p.width <= stage.x || p.x >= stage.x + stage.width || p.y >= stage.y + stage.height;
      expect(apart, `${JSON.stringify(p)} on ${JSON.stringify(stage)}`).toBe(true);
    }
  });

  it("raises the outer boxes and turns them to the stage", () => {
    const { places } = arrange(6, 820, 340);
    expect(places[0]?.y).toBeLessThan(places[2]?.y ?? 0);
    expect(places[0]?.tilt).toBeGreaterThan(0);
    expect(places[5]?.tilt).toBeLessThan(0);
    expect(places[0]?.y).toBeCloseTo(places[5]?.y ?? 0);
  });

  it("grows downwards on a phone instead of shrinking", () => {
    const plan = arrange(6, 328, 300);
    expect(plan.places[0]?.width).toBeGreaterThan(80);
    expect(new Set(plan.places.map((p) => p.tier)).size).toBe(2);
  });

  it("fills from the middle", () => {
    expect(centreOut(6)).toEqual([2, 3, 1, 4, 0, 5]);
    expect(centreOut(1)).toEqual([0]);
  });

  it("draws shares that are true at the ends", () => {
    expect(dash(0)).toBe("0.0 200");
    expect(dash(0.001)).toBe("1.5 200");
    expect(dash(7)).toBe("100.0 200");
    expect(dash(Number.NaN)).toBe("0.0 200");
    expect(archPath(100, 80, 2)).toMatch(/^M2 80 V.* V80$/);
  });
});
