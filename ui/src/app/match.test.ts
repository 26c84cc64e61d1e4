import { describe, expect, it } from "vitest";
import { match, safeNext } from "./match";
import { routes } from "./routes";
import { nearest } from "./spatial";

const found = (path: string) => routes.find((r) => match(r.pattern, path));

describe("addresses", () => {
  it("reads parameters", () => {
    expect(match("/title/:id", "/title/a%20b")).toEqual({ id: "a b" });
    expect(match("/title/:id", "/title")).toBeNull();
    expect(match("/title/:id", "/title/a/b")).toBeNull();
    expect(match("/title/:id", "/title/%E0%A4%A")).toBeNull();
    expect(match("/", "/")).toEqual({});
    expect(match("/admin", "/admin/")).toEqual({});
  });
  it("has one page for each place, and a right for it", () => {
    expect(new Set(routes.map((r) => r.pattern)).size).toBe(routes.length);
    for (const route of routes) {
      if (route.pattern.startsWith("/admin")) expect(route.access).toBe("admin");
      else if (["/signin", "/setup", "/invite", "/invite/:token"].includes(route.pattern)) expect(route.access).toBe("anyone");
      else expect(route.access).toBe("user");
    }
    expect(found("/watch/x")?.shell).toBe("stage");
    expect(found("/nowhere")).toBeUndefined();
  });
  it.each([
    ["/title/1?x=2", "/title/1?x=2"],
    [null, "/"],
    ["//evil.example", "/"],
    ["/\\evil.example", "/"],
    ["https://evil.example", "/"],
    ["javascript:alert(1)", "/"],
    ["/signin?next=/", "/"],
  ])("after signing in, %s leads to %s", (next, to) => expect(safeNext(next)).toBe(to));
});

describe("moving in space", () => {
  const box = (left: number, top: number) => ({ left, top, right: left + 100, bottom: top + 60 });
  const grid = [box(0, 0), box(120, 0), box(240, 0), box(0, 100), box(120, 100)];
  it("takes the neighbour, and stays where there is none", () => {
    expect(nearest(box(0, 0), "right", grid.slice(1))).toBe(0);
    expect(
      nearest(
        box(120, 0),
        "down",
        grid.filter((_, i) => i !== 1),
      ),
    ).toBe(3);
    expect(
      nearest(
        box(240, 0),
        "down",
        grid.filter((_, i) => i !== 2),
      ),
    ).toBe(3);
    expect(nearest(box(240, 0), "right", grid.slice(0, 2))).toBe(-1);
  });
});
