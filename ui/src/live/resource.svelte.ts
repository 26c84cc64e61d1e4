// Something a page shows: loaded once, and again when the house says that it has changed.
import { untrack } from "svelte";
import { live } from "./live.svelte";

const QUIET_MS = 150;

export interface Resource<T> {
  readonly data: T | null;
  readonly error: unknown;
  readonly loading: boolean;
  reload: () => Promise<void>;
}

/** Call while a component is being set up. `load` may read state: it runs again when that changes. */
export function resource<T>(load: (signal: AbortSignal) => Promise<T>, events: readonly string[] = []): Resource<T> {
  let data = $state.raw<T | null>(null);
  let error = $state.raw<unknown>(null);
  let loading = $state(true);
  let current: AbortController | null = null;

  function run(): Promise<void> {
    current?.abort();
    const mine = new AbortController();
    current = mine;
    // `load` is called at once, so that the state it reads is seen by the effect that called us.
    const answer = load(mine.signal);
    return untrack(async () => {
      loading = true;
      try {
        const fresh = await answer;
        if (mine !== current) return;
        data = fresh;
        error = null;
      } catch (problem) {
        if (mine === current) error = problem;
      } finally {
        if (mine === current) loading = false;
      }
    });
  }

  $effect(() => {
    void run();
    return () => {
      current?.abort();
      current = null;
    };
  });
  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void run();
      }, QUIET_MS);
    };
    const ends = [...events, "resync"].map((type) => live.on(type, soon));
    return () => {
      for (const end of ends) end();
      clearTimeout(timer);
    };
  });

  return {
    get data() {
      return data;
    },
    get error() {
      return error;
    },
    get loading() {
      return loading;
    },
    reload: () => untrack(run),
  };
}
