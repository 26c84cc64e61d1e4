// Where a visitor has to go instead of the address they opened. Pure.
import { safeNext } from "./match";
import type { Access } from "./routes";

export interface Visit {
  path: string;
  search: string;
  /** Null where no page has this address. */
  access: Access | null;
  setupRequired: boolean;
  signedIn: boolean;
  isAdmin: boolean;
}

/** Returns the address to open instead, or null when the page may show. */
export function detour(visit: Visit): string | null {
  if (visit.setupRequired) return visit.path === "/setup" ? null : "/setup";
  // Once there is an owner, setting up is theirs alone: they may still be adding the first library.
  if (visit.path === "/setup" && !visit.isAdmin) return visit.signedIn ? "/" : "/signin";
  if (visit.signedIn && visit.path === "/signin") return safeNext(new URLSearchParams(visit.search).get("next"));
  if (!visit.signedIn && visit.access !== "anyone") {
    const here = visit.path + visit.search;
    return here === "/" ? "/signin" : `/signin?next=${encodeURIComponent(here)}`;
  }
  return null;
}
