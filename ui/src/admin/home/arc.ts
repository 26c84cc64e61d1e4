// Where the boxes of the theatre stand. Pure geometry: sizes in, places out, all in CSS pixels from the top left corner.

export interface Place {
  /** Top left corner, width and height of the whole box with its parapet (name plate). */
  x: number;
  y: number;
  width: number;
  height: number;
  /** Height of the opening above the parapet. */
  arch: number;
  /** Degrees the box is turned towards the stage. */
  tilt: number;
  /** Degrees the sill leans with the curve of the balcony. */
  lean: number;
  tier: number;
}

/** The balcony a tier of boxes stands behind: its gilt rail and the velvet front below it, as SVG paths. */
export interface Balcony {
  rail: string;
  foot: string;
  front: string;
}

export interface Plan {
  places: Place[];
  balconies: Balcony[];
  stage: { x: number; y: number; width: number; height: number };
  height: number;
  /** How much a parapet can say: name and film, the name only, or nothing but initials in the box. */
  detail: "full" | "name" | "initials";
}

const GAP = 10;
const EDGE = 14;
const NARROW = 560;
/** How much of the balcony's slope a box takes over; all of it would make names hard to read. */
const LEAN = 0.55;

const parapet = (width: number) => (width >= 84 ? 37 : width >= 54 ? 20 : 0);
const opening = (width: number) => Math.round(width * (width >= 84 ? 0.74 : 0.86));
const detailOf = (width: number): Plan["detail"] => (width >= 84 ? "full" : width >= 54 ? "name" : "initials");

/** Places `count` boxes around the stage. Wide rooms get a fixed height; narrow ones grow downwards in rows of three. */
export function arrange(count: number, width: number, height: number): Plan {
  return width < NARROW ? rows(count, width) : horseshoe(count, width, height);
}

/** Seats are taken from the middle outwards, so that a quiet evening still looks like company. */
export function centreOut(count: number): number[] {
  const middle = (count - 1) / 2;
  return Array.from({ length: count }, (_, i) => i).sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle) || a - b);
}

function horseshoe(count: number, width: number, height: number): Plan {
  for (let box = 148; box >= 26; box -= 2) {
    const found = placed(count, width, height, box);
    if (found) {
      const { places, balconies } = found;
      return {
        places,
        balconies,
        stage: stageBetween(places, width, height),
        height,
        detail: detailOf(box),
      };
    }
  }
  // More boxes than the room can show one by one: the smallest size in a plain grid below the stage.
  const grown = rows(count, width, 26);
  return { ...grown, height: Math.max(height, grown.height) };
}

/** The largest stage that no box stands in front of. */
function stageBetween(places: readonly Place[], width: number, height: number): Plan["stage"] {
  let best = { x: width / 2 - 60, y: 0, width: 120, height: 60 };
  for (let wide = Math.min(width * 0.44, 400); wide >= 160; wide -= 10) {
    const x = (width - wide) / 2;
    const below = places.filter((p) => p.x + p.width > x && p.x < x + wide).map((p) => p.y);
    const tall = Math.min(height - 20, ...below) - 12;
    if (tall * wide > best.width * best.height) best = { x, y: 0, width: wide, height: tall };
  }
  return best;
}

function placed(count: number, width: number, height: number, box: number): Pick<Plan, "places" | "balconies"> | null {
  const arch = opening(box);
  const tall = arch + parapet(box);
  const half = (width - 2 * EDGE - box) / 2;
  const front = Math.floor((width - 2 * EDGE + GAP) / (box + GAP));
  if (front < 1) return null;
  const stageRoom = Math.min(width * 0.4, 380) + 2 * GAP;
  const floor = height - tall - EDGE;
  if (floor < Math.min(150, height * 0.42)) return null;
  const wing = Math.max(0, Math.floor(((width - stageRoom) / 2 - EDGE + GAP) / (box + GAP)));
  const rise = Math.min(floor * 0.44, 92, half * 0.3);
  const pitch = tall + 6 + (rise / Math.max(1, half)) * box * 2;
  const upper = Math.max(0, Math.floor((floor - rise) / pitch));
  const rowsOfBoxes: number[] = [];
  let left = count;
  const first = Math.min(front, left);
  rowsOfBoxes.push(first);
  left -= first;
  for (let tier = 1; tier <= upper && left > 0; tier++) {
    const take = Math.min(wing * 2, left);
    rowsOfBoxes.push(take);
    left -= take;
  }
  if (left > 0) return null;
  const at = (u: number, tier: number): Place => ({
    x: width / 2 + u * half - box / 2,
    y: floor - rise * u * u - pitch * tier,
    width: box,
    height: tall,
    arch,
    tilt: -u * 11,
    lean: (-Math.atan((2 * rise * u) / Math.max(1, half)) * 180 * LEAN) / Math.PI,
    tier,
  });
  const places: Place[] = [];
  rowsOfBoxes.forEach((n, tier) => {
    const step = (box + GAP) / Math.max(1, half);
    if (tier === 0) {
      // Few boxes keep together around the middle instead of standing at the far walls.
      const spread = n < 2 ? 0 : Math.min(1, ((n - 1) / 2) * Math.max(step, Math.min(step * 1.28, 2 / (n - 1))));
      for (let i = 0; i < n; i++) places.push(at(n === 1 ? 0 : (i / (n - 1)) * 2 * spread - spread, 0));
      return;
    }
    const leftSide = Math.ceil(n / 2);
    for (let i = 0; i < leftSide; i++) places.push(at(-1 + i * step, tier));
    for (let i = 0; i < n - leftSide; i++) places.push(at(1 - (n - leftSide - 1 - i) * step, tier));
  });
  const reach = (width / 2 / Math.max(1, half)) ** 2;
  const balconies = rowsOfBoxes.map((_, tier) => balcony(width, floor - pitch * tier + arch, rise * reach, Math.max(8, parapet(box))));
  return { places, balconies };
}

/** A parabola over the whole width with its lowest point in the middle, and the front hanging below it. */
function balcony(width: number, lowest: number, rise: number, depth: number): Balcony {
  const curve = (y: number) => ({ edge: y - rise, control: y + rise });
  const rail = curve(lowest);
  const foot = curve(lowest + depth);
  const n = (value: number) => value.toFixed(1);
  return {
    rail: `M0 ${n(rail.edge)} Q${n(width / 2)} ${n(rail.control)} ${n(width)} ${n(rail.edge)}`,
    foot: `M0 ${n(foot.edge)} Q${n(width / 2)} ${n(foot.control)} ${n(width)} ${n(foot.edge)}`,
    front: `M0 ${n(rail.edge)} Q${n(width / 2)} ${n(rail.control)} ${n(width)} ${n(rail.edge)} V${n(foot.edge)} Q${n(width / 2)} ${n(foot.control)} 0 ${n(foot.edge)} Z`,
  };
}

function rows(count: number, width: number, size?: number): Plan {
  const perRow = size ? Math.max(1, Math.floor((width - 2 * EDGE + GAP) / (size + GAP))) : Math.min(Math.max(1, count), count > 12 ? 5 : 3);
  const box = size ?? Math.floor((width - 2 * EDGE - (perRow - 1) * GAP) / perRow);
  const arch = opening(box);
  const tall = arch + parapet(box);
  const stageHeight = 104;
  const bend = Math.min(16, box * 0.14);
  const places: Place[] = [];
  for (let i = 0; i < count; i++) {
    const row = Math.floor(i / perRow);
    const inRow = Math.min(perRow, count - row * perRow);
    const column = i % perRow;
    const u = inRow === 1 ? 0 : (column / (inRow - 1)) * 2 - 1;
    const span = (inRow - 1) * (box + GAP);
    places.push({
      x: width / 2 - span / 2 + column * (box + GAP) - box / 2,
      y: stageHeight + 14 + bend + row * (tall + GAP + 6) - bend * u * u,
      width: box,
      height: tall,
      arch,
      tilt: -u * 6,
      lean: -u * 4,
      tier: row,
    });
  }
  const spanned = Math.min(perRow, Math.max(1, count)) - 1;
  const reach = spanned === 0 ? 0 : (width / (spanned * (box + GAP))) ** 2;
  const balconies: Balcony[] = [];
  for (let row = 0; row * perRow < count; row++) {
    balconies.push(balcony(width, stageHeight + 14 + bend + row * (tall + GAP + 6) + arch, Math.min(bend * reach, bend * 3), Math.max(8, parapet(box))));
  }
  const bottom = places.reduce((low, p) => Math.max(low, p.y + p.height), stageHeight);
  return {
    places,
    balconies,
    stage: { x: width * 0.16, y: 0, width: width * 0.68, height: stageHeight },
    height: Math.ceil(bottom + EDGE),
    detail: detailOf(box),
  };
}

/** The outline of a box: straight sides and a rounded top, as one path from bottom left to bottom right. */
export function archPath(width: number, height: number, inset: number): string {
  const left = inset;
  const right = width - inset;
  const top = inset;
  const shoulder = Math.min(height - inset, top + (right - left) * 0.42);
  const rx = (right - left) / 2;
  const ry = shoulder - top;
  return `M${left} ${height} V${shoulder} A${rx} ${ry} 0 0 1 ${right} ${shoulder} V${height}`;
}

/** Share of a limit as dash lengths over a path with pathLength 100; never quite empty, so that a quiet loge is still seen. */
export function dash(share: number): string {
  const clean = Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : 0;
  const length = clean === 0 ? 0 : Math.max(1.5, clean * 100);
  return `${length.toFixed(1)} 200`;
}
