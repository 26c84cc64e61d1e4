// Small pictures of the film for whoever drags along it: read from WebVTT whose cues name a part of a sheet.

export interface Tile {
  start_s: number;
  sheet: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A film has no more; what comes after is left out. */
const MOST = 5_000;

/** In order of time. Lines that say something else are left out. `base` is where the text came from. */
export function parseStoryboard(text: string, base: string): Tile[] {
  const tiles: Tile[] = [];
  let start: number | null = null;
  for (const line of text.split("\n")) {
    const timing = /^(\d+):(\d\d):(\d\d\.\d{3}) --> /.exec(line);
    if (timing) {
      start = Number(timing[1]) * 3600 + Number(timing[2]) * 60 + Number(timing[3]);
      continue;
    }
    const place = /^([\w./-]+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)\s*$/.exec(line);
    if (!place || start === null || tiles.length >= MOST) continue;
    const [x, y, width, height] = place.slice(2).map(Number) as [number, number, number, number];
    const sheet = new URL(place[1] ?? "", base).href;
    if (width > 0 && height > 0) tiles.push({ start_s: start, sheet, x, y, width, height });
    start = null;
  }
  return tiles.sort((a, b) => a.start_s - b.start_s);
}

/** The last one that begins before or at this time. */
export function tileAt(tiles: readonly Tile[], at_s: number): Tile | null {
  let low = 0;
  let high = tiles.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tiles[middle] as Tile).start_s <= at_s) low = middle + 1;
    else high = middle;
  }
  return tiles[Math.max(0, low - 1)] ?? null;
}

export async function loadStoryboard(url: string, signal: AbortSignal): Promise<Tile[]> {
  const base = new URL(url, location.href).href;
  const answer = await fetch(base, { signal });
  return answer.ok ? parseStoryboard(await answer.text(), base) : [];
}
