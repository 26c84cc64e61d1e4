import { describe, expect, it } from "vitest";
import { detour, type Visit } from "./detour";
import { match } from "./match";
import { routes } from "./routes";

const anonymous = { setupRequired: false, signedIn: false, isAdmin: false };
const viewer = { setupRequired: false, signedIn: true, isAdmin: false };
const owner = { setupRequired: false, signedIn: true, isAdmin: true };
const unclaimed = { setupRequired: true, signedIn: false, isAdmin: false };

type Person = Pick<Visit, "setupRequired" | "signedIn" | "isAdmin">;
const visit = (address: string, person: Person): Visit => {
  const { pathname, search } = new URL(address, "http://loge.example");
  return { path: pathname, search, access: routes.find((r) => match(r.pattern, pathname))?.access ?? null, ...person };
};

describe("who is led where", () => {
  it.each<[string, string, Person, string | null]>([
    ["the setup page once there is an owner", "/setup", anonymous, "/signin"],
    ["the setup page as a viewer", "/setup", viewer, "/"],
    ["the setup page as the owner, who may still add the first library", "/setup", owner, null],
    ["the setup page of a new server", "/setup", unclaimed, null],
    ["any page of a new server", "/title/a", unclaimed, "/setup"],
    ["the start without a sign-in", "/", anonymous, "/signin"],
    ["a title without a sign-in", "/title/a?from=3", anonymous, "/signin?next=%2Ftitle%2Fa%3Ffrom%3D3"],
    ["a name to allow without a sign-in", "/admin/settings?allow=a.example#names", anonymous, "/signin?next=%2Fadmin%2Fsettings%3Fallow%3Da.example"],
    ["the name to allow, once signed in", "/signin?next=%2Fadmin%2Fsettings%3Fallow%3Da.example", owner, "/admin/settings?allow=a.example"],
    ["an address without a page, without a sign-in", "/nowhere", anonymous, "/signin?next=%2Fnowhere"],
    ["an invitation", "/invite/abc", anonymous, null],
    ["the sign-in page when signed in", "/signin?next=%2Ftitle%2Fa", viewer, "/title/a"],
    ["the sign-in page with a foreign next", "/signin?next=%2F%2Fevil.example", viewer, "/"],
    ["a page of one's own", "/account", viewer, null],
  ])("%s", (_what, address, person, to) => expect(detour(visit(address, person))).toBe(to));

  it("comes to rest from every page, for every visitor", () => {
    const pages = [...routes.map((r) => r.pattern.replace(/:\w+/, "x")), "/nowhere"];
    for (const person of [anonymous, viewer, owner, unclaimed]) {
      for (const page of pages) {
        const first = detour(visit(page, person));
        if (first !== null) expect(detour(visit(first, person)), `${page} leads to ${first}, and from there`).toBeNull();
      }
    }
  });
});
