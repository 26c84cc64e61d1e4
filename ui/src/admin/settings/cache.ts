// The space for kept segments, as the owner types it. Pure.

/** Gigabytes with one digit behind the point: the least that may be set is a few megabytes. */
export const toGB = (bytes: number): number => Math.round(bytes / 1e8) / 10;

/** `undefined` for what is no space; 0 keeps nothing. */
export function fromGB(gb: number): number | undefined {
  if (!Number.isFinite(gb) || gb < 0 || gb > 64_000) return undefined;
  return Math.round(gb * 1e9);
}
