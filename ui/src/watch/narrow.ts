// A way that carries less than the picture takes. Whoever chose that picture gets it: the film holds until enough has
// arrived to go on for a while, instead of stopping every second, and nothing is opened anew.
import type { Play, Quality } from "../api/types";

export interface Sight {
  now: number;
  /** It should move, and nothing is left to show. */
  stands: boolean;
  /** Grows while bytes arrive. */
  arrived: number;
  /** Seconds that lie ready. */
  ahead: number;
  /** Seconds to the end of the film. */
  left: number;
}

/** What lies ready before it goes on: more each time it was not enough. */
const FIRST_FILL_S = 6;
const MOST_FILL_S = 16;
/** Moving for so long, it has made up for having stood before. */
const FORGET_MS = 10_000;
/** Nothing more comes, since the browser holds as much as it wants to. */
const QUIET_MS = 3_000;

export class Narrow {
  /** When it was looked at last, if it stood then. */
  #standing: number | null = null;
  /** Milliseconds that it stood while bytes arrived, in one piece or in several, and for how long nothing has arrived. */
  #stood = 0;
  #pending = 0;
  #stoodLast = 0;
  #arrivedThen = 0;
  #arrived = 0;
  #heard = 0;
  #holds = false;
  #fills = 0;

  get holds() {
    return this.#holds;
  }

  /** Another picture: what was learnt about the one before is not true of it. */
  reset() {
    this.forget();
    this.#holds = false;
    this.#fills = 0;
  }

  /** Somebody sought: that it stood then says nothing about the way. */
  forget() {
    this.#standing = null;
    this.#stood = 0;
    this.#pending = 0;
  }

  /**
   * Call about once a second. `patience`: standing for so many milliseconds, while bytes arrive, is too long, also where
   * it moves for a few seconds in between.
   */
  look(sight: Sight, patience: number): "hold" | "go" | null {
    if (sight.arrived !== this.#arrived) this.#heard = sight.now;
    this.#arrived = sight.arrived;
    if (this.#holds) {
      const enough = Math.min(MOST_FILL_S, FIRST_FILL_S * 2 ** (this.#fills - 1), Math.max(0.5, sight.left - 0.5));
      const isFull = sight.ahead > 1 && sight.now - this.#heard >= QUIET_MS;
      if (sight.ahead < enough && !isFull) return null;
      this.#holds = false;
      this.forget();
      return "go";
    }
    const before = this.#standing;
    this.#standing = sight.stands ? sight.now : null;
    if (!sight.stands) {
      this.#pending = 0;
      if (sight.now - this.#stoodLast >= FORGET_MS) this.#stood = 0;
      return null;
    }
    this.#stoodLast = sight.now;
    if (before === null) {
      this.#arrivedThen = sight.arrived;
      return null;
    }
    this.#pending += sight.now - before;
    if (sight.arrived !== this.#arrivedThen) {
      this.#stood += this.#pending;
      this.#pending = 0;
      this.#arrivedThen = sight.arrived;
    }
    if (this.#stood < patience) return null;
    this.#holds = true;
    this.#fills += 1;
    return "hold";
  }
}

const mbit = (bits: number) => (bits / 1_000_000).toFixed(bits < 10_000_000 ? 1 : 0);

/** Why it does not go on at once. `carries`: bits a second, where somebody measured; `takes`: of what is in sight. */
export function sayNarrow(carries: number | null, takes: number): string {
  const then = "It goes on when enough is here.";
  if (carries !== null && takes > 0 && carries < takes)
    return `The way to here carries ${mbit(carries)} Mbit/s, and this picture takes ${mbit(takes)}. ${then}`;
  return `The film arrives more slowly than it plays. ${then}`;
}

/**
 * What "use a lower quality" chooses: null is the house's own choice, where that has several pictures to change between.
 * `undefined`: there is nothing lower.
 */
export function lowerOf(play: Pick<Play, "qualities">, shown: Quality | undefined, chosen: string | null, carries: number | null): string | null | undefined {
  const several = play.qualities.filter((one) => one.in_playlist).length > 1;
  if (several) return chosen === null ? undefined : null;
  const lower = play.qualities.filter((one) => shown !== undefined && one.bitrate_bps > 0 && one.bitrate_bps < shown.bitrate_bps);
  lower.sort((a, b) => b.bitrate_bps - a.bitrate_bps);
  // A margin of a third: ways are rarely as good as they say.
  const fits = lower.find((one) => carries !== null && one.bitrate_bps * 4 <= carries * 3);
  return (fits ?? lower.at(-1))?.id;
}
