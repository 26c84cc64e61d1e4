// What the card of names reads and sends. Pure.
import type { Names } from "../../api/types";
import type { calls } from "../calls";

export type NamesForm = Parameters<typeof calls.setNames>[0];
/** Sends a change and says `said` when it went through. Returns what the server has against the field; everything else is said in a toast. */
export type Change = (form: NamesForm, said: string, saved?: () => void) => Promise<string>;

const LONGEST_NAME = 253;

/** The name that the page for unknown names brings along in the address, in the spelling of the lists; null for what cannot be one. */
export function askedName(search: string): string | null {
  const text = (new URLSearchParams(search).get("allow") ?? "").trim().toLowerCase().replace(/\.$/, "");
  const looksRight = text.length <= LONGEST_NAME && /^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/.test(text);
  // The browser reads other spellings of addresses (`127.1`) as what they mean; those are nobody's name.
  return looksRight && hostOf(`http://${text}`) === text ? text : null;
}

export function withoutAsked(search: string): string {
  const asked = new URLSearchParams(search);
  asked.delete("allow");
  const rest = asked.toString();
  return rest && `?${rest}`;
}

/** The name in the public address is allowed with it. */
export function isAllowed(names: Names, name: string): boolean {
  const url = publicUrl(names);
  return [...names.allowed, ...names.configured].includes(name) || (url !== null && hostOf(url) === name);
}

/** Where the home network reaches this Loge. */
export const homeAddresses = (names: Names) => names.addresses.filter((address) => address !== publicUrl(names));

const publicUrl = (names: Names) => names.public_url ?? names.configured_url ?? null;

function hostOf(url: string): string | null {
  try {
    return new URL(url).hostname;
  } catch {
    return null;
  }
}
