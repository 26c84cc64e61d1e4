// What this browser is known by: 32 random bytes in the storage of this origin. The cookie of a sign-in also goes to every other
// port of the same host; this stays here, and the server takes one only with the other.
const KEY = "loge_device";
const FORM = /^[\w-]{43}$/;

export interface Memory {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** Asked at each use: another tab may have been first to make it. Where storage is closed it lasts as long as the page. */
export function deviceSecret(storage: () => Memory, random: () => Uint8Array): () => string {
  let known: string | null = null;
  return () => {
    const kept = attempt(() => storage().getItem(KEY));
    if (kept && FORM.test(kept)) {
      known = kept;
      return kept;
    }
    const secret = known ?? base64url(random());
    known = secret;
    attempt(() => storage().setItem(KEY, secret));
    return secret;
  };
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
