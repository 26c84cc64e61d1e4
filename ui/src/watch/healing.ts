// What to do when playing fails. Pure: the player asks, and acts.
import type { Failure } from "../api/errors";

export type Verdict =
  /** It will pass by itself: try again after this long, and meanwhile say this if it takes more than a moment. */
  | { kind: "wait"; ms: number; say: string }
  /** It will not pass by itself. */
  | { kind: "refuse"; title: string; text: string; action: "again" | "back" | "prepare" };

const LONGEST_MS = 10_000;

export function backoff(attempt: number): number {
  return Math.min(LONGEST_MS, 500 * 2 ** Math.min(attempt, 6));
}

/** Ends that come from outside: nothing begins again by itself. Null for every other code. */
export function stopOf(code: string, sentence: string): Extract<Verdict, { kind: "refuse" }> | null {
  switch (code) {
    case "stopped_by_owner":
      return { kind: "refuse", title: "The owner has stopped this film.", text: "Where you were is kept.", action: "again" };
    case "no_longer_shared":
      return {
        kind: "refuse",
        title: "This library is no longer shared with you.",
        text: "Where you were is kept. The owner can share it again.",
        action: "back",
      };
    case "account_disabled":
      return { kind: "refuse", title: "This is not open to you", text: sentence, action: "back" };
    case "sign_in_required":
    case "session_ended":
      return { kind: "refuse", title: "Your sign-in has ended", text: sentence, action: "again" };
    default:
      return null;
  }
}

export function judge(failure: Failure, attempt: number, sentence: string): Verdict {
  if (failure.kind === "aborted") return { kind: "wait", ms: 0, say: "" };
  if (failure.kind === "unreachable" || failure.kind === "garbled") {
    return { kind: "wait", ms: backoff(attempt), say: "Loge does not answer. The film goes on by itself when it does." };
  }
  const ms = failure.retryAfterMs === null ? backoff(attempt) : Math.max(250, Math.min(failure.retryAfterMs, LONGEST_MS));
  const stop = stopOf(failure.code, sentence);
  if (stop) return stop;
  switch (failure.code) {
    case "needs_preparing":
      return { kind: "refuse", title: "This film needs preparing", text: sentence, action: "prepare" };
    case "browser_unfit":
      return { kind: "refuse", title: "This browser cannot play this film", text: sentence, action: "back" };
    case "file_broken":
      return { kind: "refuse", title: "This film cannot be played", text: sentence, action: "back" };
    case "file_missing":
    case "library_offline":
    case "file_changed":
      return { kind: "refuse", title: "The film is not there at the moment", text: sentence, action: "again" };
    case "not_found":
      return { kind: "refuse", title: "There is no such film", text: "It may have been removed, or it is not for you to see.", action: "back" };
    case "forbidden":
      return { kind: "refuse", title: "This is not open to you", text: sentence, action: "back" };
    // Of this stream alone: another one of the same film begins at the same place.
    case "ticket_expired":
      return { kind: "wait", ms: backoff(attempt), say: "The picture stopped. Going on at the same place…" };
    case "too_many_streams":
      return { kind: "refuse", title: "Enough films at once", text: sentence, action: "again" };
    case "house_full":
      return { kind: "wait", ms: Math.max(ms, 3000), say: sentence };
    case "loge_starting":
      return { kind: "wait", ms, say: "Your loge is being opened…" };
    default:
      if (failure.status >= 500 || failure.status === 429) return { kind: "wait", ms, say: sentence };
      return { kind: "refuse", title: "The film does not start", text: sentence, action: "again" };
  }
}

/** Notices a picture that stands still although it should move, and nothing arrives for it. `check` once a second. */
export class StallWatch {
  #position = -1;
  #arrived = 0;
  #since = 0;
  #patience = 8_000;

  /** True when it is time to ask for a new stream. Each time it takes a little longer until the next. */
  check(position: number, arrived: number, shouldMove: boolean, now: number): boolean {
    // A slow way is no broken one: another stream would come no sooner.
    const comes = arrived !== this.#arrived;
    this.#arrived = arrived;
    if (!shouldMove || comes || position !== this.#position) {
      if (shouldMove && this.#position >= 0 && position > this.#position) this.#patience = 8_000;
      this.#position = position;
      this.#since = now;
      return false;
    }
    if (now - this.#since < this.#patience) return false;
    this.#since = now;
    this.#patience = Math.min(30_000, this.#patience * 1.5);
    return true;
  }
}
