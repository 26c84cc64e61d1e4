// What a title's page says about versions that are made ahead of time. Pure.
import type { RenditionBrief, Title } from "../api/types";
import { duration } from "../kit/words";

/** The version that is on its way; the furthest of several. */
export function underway(versions: readonly RenditionBrief[]): RenditionBrief | null {
  const open = versions.filter((v) => v.state === "queued" || v.state === "running" || v.state === "paused");
  return open.sort((a, b) => b.progress - a.progress)[0] ?? null;
}

/** Qualities that are there, the tallest first. */
export function ready(versions: readonly RenditionBrief[]): string[] {
  const lines = (quality: string) => Number.parseInt(quality, 10) || 0;
  return versions
    .filter((v) => v.state === "done")
    .map((v) => v.quality)
    .sort((a, b) => lines(b) - lines(a));
}

export function say(version: RenditionBrief): string {
  const share = version.progress > 0 ? ` ${Math.round(version.progress * 100)}\u00a0% done.` : "";
  switch (version.state) {
    case "queued":
      return version.reason ?? `It is waiting for its turn.${share}`;
    case "paused":
      return `${version.reason ?? "The owner has paused it."}${share}`;
    case "running":
      return version.eta_s === null ? `It is being prepared.${share}` : `It is being prepared. Ready in about ${duration(Math.max(60, version.eta_s))}.`;
    case "failed":
      return version.reason ?? "It could not be prepared.";
    case "done":
      return "It is ready.";
  }
}

/** Whether this person has something to ask for here. */
export function canAsk(title: Pick<Title, "playability" | "height">, isAdmin: boolean, versions: readonly RenditionBrief[]): boolean {
  if (underway(versions)) return false;
  if (title.playability === "needs_preparing") return true;
  const smaller = [720, 480].filter((lines) => lines < title.height);
  return isAdmin && smaller.some((lines) => !versions.some((v) => v.quality === `${lines}p` && v.state === "done"));
}

/** What to ask for next: the tallest that is not there; the house's own choice where there is nothing yet. */
export function next(title: Pick<Title, "playability" | "height">, versions: readonly RenditionBrief[]): string | undefined {
  if (title.playability === "needs_preparing") return undefined;
  const there = new Set(ready(versions));
  return ["720p", "480p"].find((quality) => Number.parseInt(quality, 10) < title.height && !there.has(quality));
}
