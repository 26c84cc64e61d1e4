// Pages hold their lists through this: loaded once, fetched again when the house says that something changed,
// and only while the live connection is down by asking every few seconds.
import { untrack } from "svelte";
import { live } from "../live/live.svelte";

const QUIET_MS = 120;
const FALLBACK_MS = 8_000;

export interface Resource<T> {
  readonly data: T | null;
  readonly failure: unknown;
  readonly loading: boolean;
  reload: () => Promise<void>;
  /** Shows a change at once; the next answer of the house has the last word. */
  patch: (change: (data: T) => T) => void;
}

/** Call while a component is being set up. Bursts of events become one request. */
export function resource<T>(load: () => Promise<T>, events: readonly string[]): Resource<T> {
  let data = $state.raw<T | null>(null);
  let failure = $state.raw<unknown>(null);
  let loading = $state(true);
  let turn = 0;

  async function reload() {
    const mine = ++turn;
    loading = true;
    try {
      const fresh = await load();
      if (mine !== turn) return;
      data = fresh;
      failure = null;
    } catch (error) {
      if (mine === turn) failure = error;
    } finally {
      if (mine === turn) loading = false;
    }
  }

  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void reload();
      }, QUIET_MS);
    };
    const ends = [...events, "resync"].map((type) => live.on(type, soon));
    untrack(() => void reload());
    return () => {
      for (const end of ends) end();
      clearTimeout(timer);
      turn += 1;
    };
  });

  $effect(() => {
    if (live.connected) return;
    const timer = setInterval(() => void reload(), FALLBACK_MS);
    return () => clearInterval(timer);
  });

  return {
    get data() {
      return data;
    },
    get failure() {
      return failure;
    },
    get loading() {
      return loading;
    },
    reload,
    patch(change) {
      if (data !== null) data = change(data);
    },
  };
}
