// Whether this browser may hold a sign-in. The cookie itself is out of reach for scripts, and asking the server to renew one
// that is not there is a refusal on the console of every page that needs no sign-in.
const KEY = "loge-signed-in";
/** Written at sign-in by every Loge, also by those before this file. */
const TRACE = "loge-theme";

type Memory = Pick<Storage, "getItem" | "setItem">;

/** Returns whether it is worth asking. Where the storage is closed nothing is known, and it is. */
export function maySignInAgain(storage: () => Memory): boolean {
  try {
    const mark = storage().getItem(KEY);
    return mark === null ? storage().getItem(TRACE) !== null : mark === "1";
  } catch {
    return true;
  }
}

export function rememberSignIn(storage: () => Memory, signedIn: boolean) {
  try {
    storage().setItem(KEY, signedIn ? "1" : "0");
  } catch {
    // Then the server is asked each time.
  }
}
