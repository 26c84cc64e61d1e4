// Reads the tokens as the browser does and checks that text and graphics can be told from what is behind them.
import { describe, expect, it } from "vitest";
import css from "./tokens.css?raw";

function theme(name: "dark" | "light"): Record<string, string> {
  const block = new RegExp(`\\[data-theme="${name}"\\]\\s*\\{([^}]*)\\}`).exec(css)?.[1] ?? "";
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((m) => [m[1] ?? "", (m[2] ?? "").trim()]));
}

/** Relative luminance of an opaque oklch colour, by way of OKLab and linear sRGB. */
function luminance(colour: string): number {
  const [, l, c, h] = /oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)/.exec(colour) ?? [];
  if (l === undefined) throw new Error(`not an opaque oklch colour: ${colour}`);
  const [L, C, H] = [Number(l), Number(c), (Number(h) * Math.PI) / 180];
  const [a, b] = [C * Math.cos(H), C * Math.sin(H)];
  const x = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const y = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const z = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (v: number) => Math.max(0, Math.min(1, v));
  const red = clip(4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z);
  const green = clip(-1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z);
  const blue = clip(-0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, two: string): number {
  const [a, b] = [luminance(one), luminance(two)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const GROUNDS = ["ink", "surface-1", "surface-2", "surface-3"];
const TEXT = ["text", "muted", "velvet-text", "gilt-text", "good", "attention", "trouble"];
const GRAPHIC = ["gilt", "good", "attention", "trouble", "edge", "chart-1", "chart-2", "chart-3", "chart-4", "chart-5"];
const FILLED: [string, string][] = [
  ["on-velvet", "velvet"],
  ["on-velvet", "velvet-lit"],
  ["on-gilt", "gilt"],
  ["on-trouble", "trouble"],
];

describe.each(["dark", "light"] as const)("%s", (name) => {
  const tokens = theme(name);
  const of = (token: string) => tokens[token] ?? "";

  it("has the same names as the other theme", () => {
    expect(Object.keys(tokens).sort()).toEqual(Object.keys(theme(name === "dark" ? "light" : "dark")).sort());
  });
  it.each(TEXT.flatMap((t) => GROUNDS.map((g) => [t, g] as const)))("%s reads on %s", (text, ground) => {
    expect(contrast(of(text), of(ground))).toBeGreaterThanOrEqual(4.5);
  });
  it.each(GRAPHIC.flatMap((t) => ["ink", "surface-1"].map((g) => [t, g] as const)))("%s shows on %s", (graphic, ground) => {
    expect(contrast(of(graphic), of(ground))).toBeGreaterThanOrEqual(3);
  });
  it.each(FILLED)("%s reads on %s", (text, fill) => {
    expect(contrast(of(text), of(fill))).toBeGreaterThanOrEqual(4.5);
  });
});

it("measures as others do", () => {
  expect(contrast("oklch(1 0 0)", "oklch(0 0 0)")).toBeCloseTo(21, 1);
});
