// The memory behind the charts: a ring of moments with a fixed size, handed to uPlot as columns.
import type { Vitals, VitalsPoint } from "../../api/types";

/** Seconds since 1970, then one value per series; null is a gap in the line. */
export type Columns = [number[], ...(number | null)[][]];

export class Track {
  readonly #width: number;
  readonly #capacity: number;
  #rows: (number | null)[][] = [];
  #times: number[] = [];
  #head = 0;

  constructor(width: number, capacity = 600) {
    this.#width = width;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#times.length;
  }

  /** Adds a moment. Times that do not go forward are dropped: a resent event must not draw a loop. */
  push(at: number, values: readonly (number | null | undefined)[]): boolean {
    if (!Number.isFinite(at) || at <= this.#lastTime()) return false;
    const row = Array.from({ length: this.#width }, (_, i) => {
      const value = values[i];
      return value === undefined || value === null || !Number.isFinite(value) ? null : value;
    });
    if (this.size < this.#capacity) {
      this.#times.push(at);
      this.#rows.push(row);
    } else {
      this.#times[this.#head] = at;
      this.#rows[this.#head] = row;
      this.#head = (this.#head + 1) % this.#capacity;
    }
    return true;
  }

  clear(): void {
    this.#times = [];
    this.#rows = [];
    this.#head = 0;
  }

  /** Oldest first. A silence longer than `gap` seconds breaks the line instead of drawing a bridge over it. */
  columns(gap = Number.POSITIVE_INFINITY): Columns {
    const times: number[] = [];
    const values = Array.from({ length: this.#width }, () => [] as (number | null)[]);
    let before = Number.NaN;
    for (let i = 0; i < this.size; i++) {
      const at = this.#times[(this.#head + i) % this.size] as number;
      const row = this.#rows[(this.#head + i) % this.size] as (number | null)[];
      if (at - before > gap) {
        times.push(before + gap / 2);
        for (const line of values) line.push(null);
      }
      times.push(at);
      values.forEach((line, s) => {
        line.push(row[s] ?? null);
      });
      before = at;
    }
    return [times, ...values];
  }

  #lastTime(): number {
    if (this.size === 0) return Number.NEGATIVE_INFINITY;
    const last = this.size < this.#capacity ? this.size - 1 : (this.#head + this.#capacity - 1) % this.#capacity;
    return this.#times[last] as number;
  }
}

export const SERIES = ["cpu", "memory", "temperature", "down", "up", "disk"] as const;
export type SeriesName = (typeof SERIES)[number];
export const seriesIndex = (name: SeriesName): number => SERIES.indexOf(name);

export const secondsOf = (at: string): number => Date.parse(at) / 1000;

/** The disk that holds Loge's own data is the one that must never fill up. */
export function dataDisk(vitals: Vitals) {
  return vitals.disks.find((d) => d.role === "data") ?? vitals.disks[0];
}

export function rowOf(v: Vitals): (number | null)[] {
  return [v.cpu_percent, v.memory.used_bytes, v.temperature.celsius ?? null, v.network.rx_bps, v.network.tx_bps, dataDisk(v)?.free_bytes ?? null];
}

export function rowOfPoint(p: VitalsPoint): (number | null)[] {
  return [p.cpu_percent, p.memory_bytes, p.temperature_c ?? null, p.net_rx_bps, p.net_tx_bps, p.disk_free_bytes];
}
