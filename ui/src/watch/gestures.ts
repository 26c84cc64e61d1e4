// What fingers mean on the picture. Pure: times and places come in, meanings go out.

/** Two taps closer together than this are one gesture. */
export const TAP_MS = 280;
const EDGE = 0.35;

export type Tapped =
  /** Perhaps the first of two: it counts once `TAP_MS` have passed without another. */
  { is: "first" } | { is: "jump"; seconds: number };

export class Taps {
  #last = Number.NEGATIVE_INFINITY;

  /** `where`: 0 is the left edge, 1 the right one. */
  tap(now: number, where: number): Tapped {
    const twice = now - this.#last < TAP_MS;
    // A third tap soon after goes on jumping.
    this.#last = now;
    if (twice && where < EDGE) return { is: "jump", seconds: -10 };
    if (twice && where > 1 - EDGE) return { is: "jump", seconds: 10 };
    return { is: "first" };
  }
}
