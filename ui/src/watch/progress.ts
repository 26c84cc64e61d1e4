// Tells the house where somebody is. One report at a time; while one is on its way only the newest next one waits,
// and one that failed is sent again with the next position rather than lost.
import type { ProgressEvent } from "../api/types";

export interface Report {
  position_s: number;
  event: ProgressEvent;
  play_id?: string;
}
export type Send = (report: Report, keepalive: boolean) => Promise<void>;

export const EVERY_MS = 10_000;
const RETRY_MS = 3_000;

export class ProgressReporter {
  readonly #send: Send;
  readonly #now: () => number;
  #playId: string | undefined;
  #last = Number.NEGATIVE_INFINITY;
  #busy = false;
  #next: Report | null = null;
  #over = false;

  constructor(send: Send, now: () => number) {
    this.#send = send;
    this.#now = now;
  }

  play(id: string) {
    this.#playId = id;
  }

  /** Called as often as the picture moves; reports every ten seconds. */
  moved(position: number) {
    if (this.#now() - this.#last < EVERY_MS) return;
    this.report("time", position);
  }

  report(event: ProgressEvent, position: number) {
    if (this.#over || !Number.isFinite(position)) return;
    this.#last = this.#now();
    const report: Report = { position_s: Math.max(0, Math.round(position * 1000) / 1000), event };
    if (this.#playId !== undefined) report.play_id = this.#playId;
    // "It has ended" must not be overtaken by a later "paused", which browsers send with it.
    if (this.#next?.event === "ended" && event !== "seek" && event !== "play") return;
    this.#next = report;
    void this.#drain();
  }

  /** The page goes away: no time to wait for anybody. */
  close(position: number) {
    if (this.#over || !Number.isFinite(position)) return;
    const waiting = this.#next?.event === "ended" ? this.#next : null;
    const report: Report = waiting ?? { position_s: Math.max(0, Math.round(position * 1000) / 1000), event: "close" };
    if (this.#playId !== undefined) report.play_id = this.#playId;
    this.#next = null;
    this.#send(report, true).catch(() => {});
  }

  end() {
    this.#over = true;
  }

  async #drain() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#next) {
      const report = this.#next;
      this.#next = null;
      try {
        await this.#send(report, false);
      } catch {
        this.#next ??= report;
        // The regular report comes sooner than usual, with a position that is true by then.
        this.#last = this.#now() - EVERY_MS + RETRY_MS;
        break;
      }
    }
    this.#busy = false;
  }
}
