// What the owner reads about a version. Pure.
import type { Rendition } from "../../api/types";
import { eta, percent } from "../words";

const WORDS = { queued: "Waits", running: "Being made", paused: "On hold", done: "Ready", failed: "Failed" } as const;

export const word = (item: Pick<Rendition, "state">): string => WORDS[item.state];

export const isOpen = (item: Pick<Rendition, "state">): boolean => item.state !== "done" && item.state !== "failed";

/** The line below the film's name. */
export function line(item: Rendition): string {
  if (item.state === "running") return [percent(item.progress * 100), eta(item.eta_s)].filter(Boolean).join(", ");
  const share = isOpen(item) && item.progress > 0 ? `${percent(item.progress * 100)} done` : "";
  const who = item.by_house && isOpen(item) && !item.reason ? "picked by the night shift" : "";
  return [item.reason, share, who].filter(Boolean).join(" \u00b7 ");
}

/** `first` makes sense for what waits behind others. */
export const canBeFirst = (items: readonly Rendition[], item: Rendition): boolean =>
  item.state === "queued" && items.findIndex((other) => isOpen(other)) !== items.indexOf(item);

export const toGB = (bytes: number): number => Math.round(bytes / 1e9);
export const fromGB = (gb: number): number | undefined => (Number.isFinite(gb) && gb >= 1 ? Math.round(gb) * 1e9 : undefined);
