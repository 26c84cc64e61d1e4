// Keeps one stream of events open: resumes after the last event, waits longer after each failure,
// notices a line that has gone silent, and says `resync` when events may have been lost.
import { SseParser } from "./sse";

export interface LiveEvent {
  type: string;
  [field: string]: unknown;
}

export interface Surroundings {
  open: (headers: Record<string, string>, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  random: () => number;
  /** False when trying again is pointless, because the session has ended. */
  worthRetrying: (error: unknown) => boolean;
}

/** The house sends a heartbeat every 15 s; two missing ones mean that the line is dead. */
const SILENCE_MS = 40_000;
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 15_000;

export class Connection {
  readonly #around: Surroundings;
  readonly #onevent: (event: LiveEvent) => void;
  readonly #onstate: (connected: boolean) => void;
  #stop: AbortController | null = null;
  #lastId: string | null = null;

  constructor(around: Surroundings, onevent: (event: LiveEvent) => void, onstate: (connected: boolean) => void) {
    this.#around = around;
    this.#onevent = onevent;
    this.#onstate = onstate;
  }

  start() {
    if (this.#stop) return;
    this.#stop = new AbortController();
    void this.#run(this.#stop.signal);
  }

  stop() {
    this.#stop?.abort();
    this.#stop = null;
    this.#lastId = null;
    this.#onstate(false);
  }

  async #run(signal: AbortSignal) {
    let failures = 0;
    let first = true;
    while (!signal.aborted) {
      try {
        const resumed = this.#lastId;
        const stream = await this.#around.open(resumed ? { "last-event-id": resumed } : {}, signal);
        failures = 0;
        if (signal.aborted) return;
        this.#onstate(true);
        if (!first && !resumed) this.#onevent({ type: "resync" });
        first = false;
        await this.#read(stream, signal);
      } catch (error) {
        if (!signal.aborted && !this.#around.worthRetrying(error)) {
          this.stop();
          return;
        }
      }
      if (signal.aborted) return;
      this.#onstate(false);
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
      failures += 1;
      // Everybody's page comes back when the house does; spread them out.
      await this.#around.sleep(wait * (0.7 + 0.6 * this.#around.random()), signal);
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, signal: AbortSignal) {
    const reader = stream.getReader();
    const parser = new SseParser();
    let silence: ReturnType<typeof setTimeout> | undefined;
    const leave = () => void reader.cancel().catch(() => {});
    signal.addEventListener("abort", leave);
    try {
      for (;;) {
        clearTimeout(silence);
        silence = setTimeout(leave, SILENCE_MS);
        const { done, value } = await reader.read();
        if (done || signal.aborted) return;
        for (const event of parser.push(value)) this.#take(event.type, event.data, event.id);
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", leave);
    }
  }

  #take(type: string, data: string, id: string | null) {
    let fields: unknown;
    try {
      fields = JSON.parse(data);
    } catch {
      return;
    }
    const event: LiveEvent = { ...(typeof fields === "object" && fields !== null ? fields : {}), type };
    // A house that counts from the start again has restarted: it cannot know what this page has missed.
    if (type === "hello" && this.#lastId !== null && typeof event.seq === "number" && event.seq < Number(this.#lastId)) {
      this.#lastId = String(event.seq);
      this.#onevent({ type: "resync" });
    }
    if (id !== null) this.#lastId = id;
    this.#onevent(event);
  }
}
