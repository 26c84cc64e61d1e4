// What the page of the backups says in words. Pure.
import type { Backup, Backups } from "../../api/types";
import { ago } from "../../kit/words";

export const KINDS: Record<Backup["kind"], string> = { scheduled: "by schedule", by_hand: "by hand", before_upgrade: "before an upgrade" };

const WORK: Record<Backups["work"], string> = {
  idle: "",
  backing_up: "A backup is being made.",
  copying: "Backups are being copied.",
  proving: "A backup is being tried out: restored into a folder of its own, started and watched. This takes a minute or two.",
};

export interface Said {
  tone: "good" | "attention" | "plain";
  text: string;
}

/** The one line above everything: is the house safe? */
export function stateOf(all: Backups, now: number): Said {
  if (!all.possible) return { tone: "plain", text: "This house keeps its data in PostgreSQL, which is copied with PostgreSQL's own tools." };
  if (all.work !== "idle") return { tone: "plain", text: WORK[all.work] };
  if (all.last_try?.problem) return { tone: "attention", text: all.last_try.problem };
  if (all.last_proof?.problem) return { tone: "attention", text: `The last try-out failed: ${all.last_proof.problem}` };
  if (all.proven_at) return { tone: "good", text: `Last proven ${ago(all.proven_at, now)}.` };
  const first = all.items[0];
  if (first) return { tone: "plain", text: "No backup has been proven yet. Loge tries the newest one out once a week, while nobody watches." };
  return all.enabled
    ? { tone: "plain", text: "No backup yet. The first one is made tonight, or now if you like." }
    : { tone: "attention", text: "There is no backup, and none is made by itself." };
}

/** A short line for the owner's home; empty where there is nothing to say yet. */
export function brief(all: Backups, now: number): Said | null {
  if (!all.possible) return null;
  if (!all.enabled && all.items.length === 0) return { tone: "attention", text: "No backups are made" };
  if (all.last_try?.problem) return { tone: "attention", text: "The last backup failed" };
  const newest = all.items.find((item) => item.here);
  if (!newest) return { tone: "plain", text: "First backup tonight" };
  return all.proven_at
    ? { tone: "good", text: `Last backup ${ago(newest.made_at, now)}, last proven ${ago(all.proven_at, now)}` }
    : { tone: "plain", text: `Last backup ${ago(newest.made_at, now)}, not proven yet` };
}

/** Where a backup lies, by the paths of the places. */
export function whereOf(item: Backup, all: Backups): string {
  const paths = all.places.filter((place) => item.places.includes(place.id)).map((place) => place.path);
  return [...(item.here ? ["this machine"] : []), ...paths].join(", ");
}
