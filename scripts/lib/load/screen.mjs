// What a viewer would see: a buffer that fills as bytes arrive and empties in real time. Knows no
// clock and no network, so that a test can prove that it does see a stall.

/** So much must be there before the picture moves, at the start and after a stall. */
const FIRST_S = 0.5;
const AGAIN_S = 1;

export class Screen {
  position = 0;
  end = 0;
  state = "closed";
  /** `{ kind, seconds }`: from the wish to the first picture. */
  waits = [];
  /** Seconds that the picture stood still. */
  stalls = [];
  #kind = null;
  #since = 0;
  #at = 0;

  constructor(durationS) {
    this.durationS = durationS;
  }

  /** Somebody pressed play or moved to another place. */
  ask(kind, positionS, nowS) {
    this.tick(nowS);
    if (this.state === "stalled") this.stalls.push(nowS - this.#since);
    Object.assign(this, { position: positionS, end: positionS, state: "waiting" });
    this.#kind = kind;
    this.#since = nowS;
  }

  /** The film is there up to `endS` without a gap. */
  has(endS, nowS) {
    this.tick(nowS);
    if (this.state === "closed") return;
    this.end = Math.max(this.end, Math.min(endS, this.durationS));
    const whole = this.end >= this.durationS - 0.05;
    if (this.state === "waiting" && (this.ahead >= FIRST_S || whole)) {
      this.waits.push({ kind: this.#kind, seconds: nowS - this.#since });
      this.state = "playing";
    } else if (this.state === "stalled" && (this.ahead >= AGAIN_S || whole)) {
      this.stalls.push(nowS - this.#since);
      this.state = "playing";
    }
  }

  tick(nowS) {
    const passed = nowS - this.#at;
    this.#at = nowS;
    if (this.state !== "playing") return;
    this.position += passed;
    if (this.position <= this.end) return;
    this.position = this.end;
    const over = this.end >= this.durationS - 0.05;
    this.state = over ? "ended" : "stalled";
    this.#since = nowS;
  }

  close(nowS) {
    this.tick(nowS);
    if (this.state === "stalled") this.stalls.push(nowS - this.#since);
    this.state = "closed";
  }

  get ahead() {
    return Math.max(0, this.end - this.position);
  }
}
