// The newest vitals as they arrive, with one question at the start and slow questions while the live line is down.
import type { Vitals } from "../api/types";
import { live } from "../live/live.svelte";
import { calls } from "./calls";

const FALLBACK_MS = 5_000;

/** Call while a component is being set up. */
export function vitalsNow(): { readonly vitals: Vitals | null; readonly connected: boolean; readonly clock: number } {
  let vitals = $state.raw<Vitals | null>(null);
  let clock = $state(Date.now());

  const take = (fresh: Vitals) => {
    if (!vitals || Date.parse(fresh.at) >= Date.parse(vitals.at)) vitals = fresh;
    clock = Date.now();
  };
  const ask = async () => {
    try {
      take((await calls.vitals("live")).now);
    } catch {
      clock = Date.now();
    }
  };

  $effect(() => {
    const end = live.on("vitals", (event) => take(event as unknown as Vitals));
    void ask();
    return end;
  });
  $effect(() => {
    if (live.connected) return;
    const timer = setInterval(() => void ask(), FALLBACK_MS);
    return () => clearInterval(timer);
  });

  return {
    get vitals() {
      return vitals;
    },
    get connected() {
      return live.connected;
    },
    get clock() {
      return clock;
    },
  };
}
