/** Points drawn straight into pixels: any number of points costs one pass over typed arrays and as many pixels. */

/** The values at the left, right, lower and upper edges of a plot. */
export interface Area {
  left: number;
  right: number;
  bottom: number;
  top: number;
}

/** The points of a plot, one a movie. NaN in either coordinate: none. */
export interface Points {
  x: Float64Array;
  y: Float64Array;
  /** Whether `x` never falls, so that the points in sight are found by bisection. It may then hold no NaN. */
  ascending: boolean;
}

/** How points look. */
export interface Look {
  /** Each point's place in `colours`; any other number is the last of `colours`. */
  codes: Int16Array | null;
  /** Colours as `packed` gives them. */
  colours: Uint32Array;
  /** Marked points are drawn above the others, which get the colours of `dimmed`; null: none is marked. */
  marked: Uint8Array | null;
  dimmed: Uint32Array;
  /** Edge of a point, px. */
  size: number;
}

/** A colour as a pixel of ImageData holds it on little-endian machines, which all browsers run on. */
export function packed(red: number, green: number, blue: number, alpha = 255): number {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The first place whose value is at least `value`. */
export function firstAtLeast(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The places `[first, end)` outside which no point is in sight. */
export function inSight({ x, ascending }: Points, { left, right }: Area): [number, number] {
  if (!ascending) return [0, x.length];
  const first = firstAtLeast(x, left);
  let end = firstAtLeast(x, right);
  while (end < x.length && x[end] === right) end++;
  return [first, end];
}

/** Whether any movie has a point. */
export function hasPoint({ x, y }: Points): boolean {
  for (let row = 0; row < x.length; row++) if (!Number.isNaN(x[row]) && !Number.isNaN(y[row])) return true;
  return false;
}

/** Draws points into `pixels` (`width` × `height`). Values beyond the lower or upper edge are drawn at that edge. */
export function drawPoints(
  pixels: Uint32Array,
  width: number,
  height: number,
  points: Points,
  area: Area,
  look: Look,
): void {
  const { marked } = look;
  if (marked === null) {
    drawLayer(pixels, width, height, points, area, look, look.colours, -1);
  } else {
    drawLayer(pixels, width, height, points, area, look, look.dimmed, 0);
    drawLayer(pixels, width, height, points, area, look, look.colours, 1);
  }
}

/** One layer: the points whose mark is `layer`, all where it is -1. */
function drawLayer(
  pixels: Uint32Array,
  width: number,
  height: number,
  points: Points,
  area: Area,
  { codes, marked, size }: Look,
  colours: Uint32Array,
  layer: number,
): void {
  const { x, y } = points;
  const [first, end] = inSight(points, area);
  const last = colours.length - 1;
  const perX = (width - size) / (area.right - area.left);
  const perY = (height - size) / (area.top - area.bottom);
  for (let row = first; row < end; row++) {
    if (layer >= 0 && marked![row] !== layer) continue;
    const column = Math.round((x[row]! - area.left) * perX);
    let line = Math.round((area.top - y[row]!) * perY);
    // NaN fails each comparison.
    if (!(column >= 0 && column <= width - size) || Number.isNaN(line)) continue;
    line = Math.min(Math.max(line, 0), height - size);
    const code = codes === null ? last : codes[row]!;
    const colour = colours[code >= 0 && code < last ? code : last]!;
    for (let dy = 0; dy < size; dy++) {
      const start = (line + dy) * width + column;
      for (let dx = 0; dx < size; dx++) pixels[start + dx] = colour;
    }
  }
}

/** Edge of a point for so many in sight, CSS px: large where they are few, fine where they are many. */
export function pointSize(count: number): number {
  if (count < 500) return 4;
  return count < 5_000 ? 3 : 2;
}

/** The point nearest to a place in px of a plot of `width` × `height`, -1 where none is within `reach` px. */
export function nearestPoint(
  points: Points,
  area: Area,
  width: number,
  height: number,
  place: { x: number; y: number },
  reach: number,
): number {
  const { x, y } = points;
  const perX = width / (area.right - area.left);
  const perY = height / (area.top - area.bottom);
  let nearest = -1;
  let least = reach * reach;
  const [first, end] = inSight(points, area);
  for (let row = first; row < end; row++) {
    const line = Math.min(Math.max((area.top - y[row]!) * perY, 0), height);
    const dx = (x[row]! - area.left) * perX - place.x;
    const dy = line - place.y;
    const distance = dx * dx + dy * dy;
    if (distance <= least) {
      least = distance;
      nearest = row;
    }
  }
  return nearest;
}
