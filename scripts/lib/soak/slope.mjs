// How fast something grows, and how sure that is. Pure.
//
// The line is that of least squares; its interval is Student's. Where what the line leaves over is alike
// from one look to the next (memory that an allocator keeps for a while), such looks tell less than as
// many independent ones: the interval is widened as for a process of first order, r being the likeness of
// neighbours, corrected for how small it is found in few looks.

/** Standard normal deviates of two-sided confidences. */
const DEVIATES = { 0.95: 1.96, 0.99: 2.576, 0.999: 3.291 };
/** Fewer looks say nothing of how sure a slope is. */
const FEWEST = 6;
/** What stays alike for longer than this can tell would make every interval infinite. */
const MOST_ALIKE = 0.85;

/**
 * `points`: `[{ at: seconds, value }]`. Answers `{ perHour, low, high, points }`; the ends are infinite
 * where there are too few points to say.
 */
export function slope(points, confidence = 0.99) {
  const deviate = DEVIATES[confidence];
  if (!deviate) throw new RangeError(`no deviate for a confidence of ${confidence}`);
  const n = points.length;
  const mean = (pick) => points.reduce((sum, point) => sum + pick(point), 0) / Math.max(1, n);
  const [at, value] = [mean((point) => point.at), mean((point) => point.value)];
  const spread = points.reduce((sum, point) => sum + (point.at - at) ** 2, 0);
  if (spread === 0) return { perHour: 0, low: -Infinity, high: Infinity, points: n };
  const perSecond = points.reduce((sum, point) => sum + (point.at - at) * (point.value - value), 0) / spread;
  const perHour = perSecond * 3600;
  if (n < FEWEST) return { perHour, low: -Infinity, high: Infinity, points: n };
  const left = points.map((point) => point.value - value - perSecond * (point.at - at));
  const squares = left.reduce((sum, off) => sum + off * off, 0);
  const error = Math.sqrt((squares / (n - 2) / spread) * widening(left, squares)) * 3600;
  const half = student(deviate, n - 2) * error;
  return { perHour, low: perHour - half, high: perHour + half, points: n };
}

/** By how much neighbours that are alike widen the variance. */
function widening(left, squares) {
  if (squares === 0) return 1;
  const found = left.slice(1).reduce((sum, off, before) => sum + off * left[before], 0) / squares;
  const alike = Math.min(MOST_ALIKE, Math.max(0, found + (1 + 4 * found) / left.length));
  return (1 + alike) / (1 - alike);
}

/** Student's deviate from the normal one (Cornish and Fisher); good to 2 % from four degrees of freedom on. */
function student(z, freedom) {
  const power = (n) => z ** n;
  return z
    + (power(3) + z) / (4 * freedom)
    + (5 * power(5) + 16 * power(3) + 3 * z) / (96 * freedom ** 2)
    + (3 * power(7) + 19 * power(5) + 17 * power(3) - 15 * z) / (384 * freedom ** 3);
}
