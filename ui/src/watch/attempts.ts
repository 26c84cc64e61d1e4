// What is tried next when a stream fails, so that no way is taken again and again that has failed. Pure: the player asks,
// and acts.
import type { Failure } from "../api/errors";
import type { Play } from "../api/types";
import { backoff, judge, stopOf } from "./healing";

/** Why a stream cannot go on by itself. */
export type Trouble =
  /** What the house answered instead of a part of the film, or that nothing came. */
  | { kind: "refused"; failure: Failure; sentence: string }
  /** The bytes arrive, and this browser makes no picture of them. */
  | { kind: "decoder" };

/** Ways that the house need not offer again, by the names of its API. */
export type FailedMethod = "direct" | "remux";

export type Next =
  /** Ask for a stream at the same place, after this long. */
  | { kind: "again"; ms: number; say: string }
  /** Ask for a stream this many seconds further on: the part in between cannot be shown. */
  | { kind: "jump"; by_s: number; say: string }
  | { kind: "refuse"; title: string; text: string; action: "again" | "back" | "prepare" };

/** A hiccup is over the second time. */
const SAME_WAY = 2;
/** Seconds that are passed over, one after the other, before a browser is believed that it cannot go on. */
const JUMPS_S = [4, 8, 16];
const STOPPED = "The picture stopped. Going on at the same place…";
const PASSED = "A damaged part of the film is passed over.";

export class Attempts {
  /** How often each way has failed since the film moved last. */
  #failures = new Map<string, number>();
  #failed = new Set<FailedMethod>();
  #jumps = 0;
  /** The house has no other way than those that failed. */
  #isLastWay = false;

  /** Ways that were given up, for as long as this page shows the film. */
  get failed(): FailedMethod[] {
    return this.#isLastWay ? [] : [...this.#failed];
  }

  /** The film moved on. */
  moved() {
    this.#failures.clear();
    this.#jumps = 0;
  }

  /** The viewer pressed "again": everything may be tried once more. */
  forget() {
    this.moved();
    this.#failed.clear();
    this.#isLastWay = false;
  }

  /** A stream failed. `attempt`: streams asked for since one played. */
  after(play: Pick<Play, "method" | "quality">, trouble: Trouble, attempt: number): Next {
    // What was stopped from outside does not begin again by itself.
    const stop = trouble.kind === "refused" && trouble.failure.kind === "refused" ? stopOf(trouble.failure.code, trouble.sentence) : null;
    if (stop) return stop;
    const way = `${play.method} ${play.quality} ${trouble.kind}`;
    const count = (this.#failures.get(way) ?? 0) + 1;
    this.#failures.set(way, count);
    if (trouble.kind === "decoder") return this.#afterDecoder(play.method, count);
    const verdict = judge(trouble.failure, attempt, trouble.sentence);
    // Waiting helps the house, and not a link that the house calls expired as soon as it is made.
    const isExpired = trouble.failure.kind === "refused" && trouble.failure.code === "ticket_expired";
    if (verdict.kind === "wait" && isExpired && count >= SAME_WAY) {
      return { kind: "refuse", title: "The film does not start", text: trouble.sentence, action: "again" };
    }
    if (verdict.kind === "wait") return { kind: "again", ms: verdict.ms, say: STOPPED };
    // Most refusals of a stream are over with a new one: its link had expired, or its seat was taken. And of a file that
    // one way cannot be made of, the house may know another.
    return count < SAME_WAY ? { kind: "again", ms: backoff(attempt), say: STOPPED } : verdict;
  }

  #afterDecoder(method: string, count: number): Next {
    if (count < SAME_WAY) return { kind: "again", ms: backoff(count), say: STOPPED };
    if ((method === "direct" || method === "remux") && !this.#isLastWay && !this.#failed.has(method)) {
      this.#failed.add(method);
      return { kind: "again", ms: 0, say: STOPPED };
    }
    return this.#jump();
  }

  /** Asking for another way than those that failed was refused. Null where the refusal is about something else. */
  noOtherWay(failure: Failure): Next | null {
    const code = failure.kind === "refused" ? failure.code : null;
    if (this.failed.length === 0 || (code !== "needs_preparing" && code !== "browser_unfit")) return null;
    this.#isLastWay = true;
    return this.#jump();
  }

  #jump(): Next {
    const by_s = JUMPS_S[this.#jumps];
    this.#jumps += 1;
    if (by_s !== undefined) return { kind: "jump", by_s, say: PASSED };
    return {
      kind: "refuse",
      title: "This browser cannot go on here",
      text: "The stream arrives, but this browser cannot turn it into a picture. Another browser may, and trying again helps when it was only a moment.",
      action: "again",
    };
  }
}
