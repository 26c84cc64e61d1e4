/** A line through shares of the height (0 is the ground, 1 the top), in a box 100 wide and 30 high. */
export function path(shares: readonly number[]): string {
  if (shares.length < 2) return "";
  const step = 100 / (shares.length - 1);
  const y = (share: number) => 29 - 28 * Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
  return shares.map((share, i) => `${i === 0 ? "M" : "L"}${(i * step).toFixed(2)} ${y(share).toFixed(2)}`).join("");
}
