// The pages of one list of titles, fetched as somebody scrolls, and kept for the way back from a title.
import { api, query } from "../api/client";
import type { Page, TitleCard } from "../api/types";

export interface Wanted {
  library: string;
  q: string;
  sort: "name" | "added" | "year" | "duration";
  playability: string;
}

const PAGE = 60;
const KEEP = 6;

export class Shelf {
  readonly wanted: Wanted;
  #titles = $state.raw<readonly TitleCard[]>([]);
  #cursor: string | null = null;
  #total = $state<number | null>(null);
  #error = $state.raw<unknown>(null);
  #loading = false;
  #complete = $state(false);

  constructor(wanted: Wanted) {
    this.wanted = wanted;
  }
  get titles() {
    return this.#titles;
  }
  get total() {
    return this.#total;
  }
  get error() {
    return this.#error;
  }
  get complete() {
    return this.#complete;
  }

  async more(): Promise<void> {
    if (this.#loading || this.#complete) return;
    this.#loading = true;
    try {
      const page = await api.get<Page<TitleCard>>(this.#path(PAGE, this.#cursor));
      const known = new Set(this.#titles.map((t) => t.id));
      this.#titles = [...this.#titles, ...page.items.filter((t) => !known.has(t.id))];
      this.#cursor = page.next_cursor;
      this.#total = page.total ?? this.#total;
      this.#complete = page.next_cursor === null;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    } finally {
      this.#loading = false;
    }
  }

  /** Fetches again what is shown, in place, so that nothing moves under the reader. */
  async refresh(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      const wanted = Math.max(PAGE, this.#titles.length);
      let titles: TitleCard[] = [];
      let cursor: string | null = null;
      do {
        const page: Page<TitleCard> = await api.get<Page<TitleCard>>(this.#path(Math.min(200, wanted - titles.length), cursor));
        titles = [...titles, ...page.items];
        cursor = page.next_cursor;
        this.#total = page.total ?? this.#total;
      } while (cursor !== null && titles.length < wanted);
      this.#titles = titles;
      this.#cursor = cursor;
      this.#complete = cursor === null;
      this.#error = null;
    } catch (error) {
      if (this.#titles.length === 0) this.#error = error;
    } finally {
      this.#loading = false;
    }
  }

  #path(limit: number, cursor: string | null): string {
    const { library, q, sort, playability } = this.wanted;
    const order = sort === "added" || sort === "year" ? "desc" : "asc";
    return `/titles${query({ library, q, sort, order, playability, limit, cursor })}`;
  }
}

const kept = new Map<string, Shelf>();

export function shelfFor(wanted: Wanted): Shelf {
  const key = JSON.stringify(wanted);
  const shelf = kept.get(key) ?? new Shelf(wanted);
  kept.delete(key);
  kept.set(key, shelf);
  for (const old of kept.keys()) {
    if (kept.size <= KEEP) break;
    kept.delete(old);
  }
  return shelf;
}

/** Another person may sit down at the same page. */
export function forgetShelves() {
  kept.clear();
}
