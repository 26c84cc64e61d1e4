import { expect, test } from "vitest";
import { fromGB, toGB } from "./cache";

test("space is typed in gigabytes", () => {
  expect(toGB(2 * 2 ** 30)).toBe(2.1);
  expect(toGB(8e9)).toBe(8);
  expect(fromGB(0)).toBe(0);
  expect(fromGB(0.5)).toBe(500_000_000);
  for (const none of [Number.NaN, -1, 1e6, Number.POSITIVE_INFINITY]) expect(fromGB(none)).toBeUndefined();
});
