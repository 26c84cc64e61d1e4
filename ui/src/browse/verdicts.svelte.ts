// What this browser gets of films that an ordinary one would not play. The server judges lists for an ordinary browser;
// only what that one would not play is asked for again, with what this browser can.
import { SvelteMap } from "svelte/reactivity";
import { api } from "../api/client";
import type { Playability, TitleCard } from "../api/types";
import { capabilities } from "../watch/capabilities";

interface Verdict {
  title_id: string;
  method: "direct" | "remux" | "rendition" | "transcode" | null;
}
type Judged = Pick<TitleCard, "id" | "playability">;

/** Titles in one question. */
const MOST = 100;

export class Verdicts {
  readonly #known = new SvelteMap<string, Playability>();
  /** In the next question. */
  #next: string[] = [];
  /** In the next question, or in one whose answer is not there yet. */
  readonly #open = new Set<string>();
  readonly #ask: (ids: string[]) => Promise<Verdict[]>;

  constructor(ask: (ids: string[]) => Promise<Verdict[]>) {
    this.#ask = ask;
  }

  /** Null until the answer is there. After a question that failed, the next look asks again. */
  of(title: Judged): Playability | null {
    if (title.playability !== "needs_preparing") return title.playability;
    const known = this.#known.get(title.id);
    if (known) return known;
    if (!this.#open.has(title.id)) {
      if (this.#next.length === 0) queueMicrotask(() => void this.#flush());
      this.#next.push(title.id);
      this.#open.add(title.id);
    }
    return null;
  }

  /** What a film needs may change: it was prepared, or another machine encodes. */
  forget(): void {
    this.#known.clear();
  }

  async #flush(): Promise<void> {
    const ids = this.#next;
    this.#next = [];
    for (let from = 0; from < ids.length; from += MOST) {
      const some = ids.slice(from, from + MOST);
      const answer = await this.#ask(some).catch(() => null);
      for (const id of some) this.#open.delete(id);
      if (!answer) continue;
      const found = new Map(answer.map((one) => [one.title_id, one.method]));
      for (const id of some) this.#known.set(id, found.get(id) ? "remux" : "needs_preparing");
    }
  }
}

export const verdicts = new Verdicts(async (titles) => {
  const body = { titles, capabilities: await capabilities() };
  return (await api.post<{ items: Verdict[] }>("/playability", body)).items;
});
