// The one live connection of the page. Rooms listen by type; `resync` means "ask for everything again".
import { api } from "../api/client";
import { failureOf } from "../api/errors";
import { Connection, type LiveEvent } from "./connection";

type Listener = (event: LiveEvent) => void;

class Live {
  #connected = $state(false);
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #connection = new Connection(
    {
      open: (headers, signal) => api.stream("/events", headers, signal),
      sleep: (ms, signal) =>
        new Promise((done) => {
          const timer = setTimeout(done, ms);
          signal.addEventListener("abort", () => {
            clearTimeout(timer);
            done();
          });
        }),
      random: Math.random,
      worthRetrying: (error) => {
        const failure = failureOf(error);
        return !(failure.kind === "refused" && (failure.status === 401 || failure.status === 403));
      },
    },
    (event) => this.#tell(event),
    (connected) => {
      this.#connected = connected;
    },
  );

  get connected(): boolean {
    return this.#connected;
  }

  start() {
    this.#connection.start();
  }

  stop() {
    this.#connection.stop();
  }

  /** Returns the way to stop listening. */
  on(type: string, listener: Listener): () => void {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set);
    set.add(listener);
    return () => set.delete(listener);
  }

  #tell(event: LiveEvent) {
    for (const listener of [...(this.#listeners.get(event.type) ?? [])]) listener(event);
  }
}

export const live = new Live();
