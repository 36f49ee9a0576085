/** How often values occur, by colour. */
import { type Area, inSight, type Points } from "./raster";

/** Counts of a histogram: `counts[bin * codes + code]`; the last code is that of points without one. */
export interface Histogram {
  bins: number;
  codes: number;
  counts: Uint32Array;
  /** The largest count of a bin, all codes together. */
  highest: number;
}

/**
 * Counts the points between the left and right edges of `area` by their y, in `bins` equal steps from the lower edge to
 * the upper. Values beyond the edges count in the first or last bin, where the plot draws them. `included` leaves out
 * points whose entry is 0.
 */
export function histogram(
  points: Points,
  area: Area,
  bins: number,
  pointCodes: Int16Array | null,
  codes: number,
  included: Uint8Array | null = null,
): Histogram {
  const { x, y } = points;
  const counts = new Uint32Array(bins * codes);
  const perValue = bins / (area.top - area.bottom);
  const [first, end] = inSight(points, area);
  for (let row = first; row < end; row++) {
    if (included !== null && included[row] === 0) continue;
    if (!(x[row]! >= area.left && x[row]! <= area.right)) continue;
    const bin = Math.floor((y[row]! - area.bottom) * perValue);
    if (Number.isNaN(bin)) continue;
    const code = pointCodes === null ? codes - 1 : pointCodes[row]!;
    counts[Math.min(Math.max(bin, 0), bins - 1) * codes + (code >= 0 && code < codes ? code : codes - 1)]!++;
  }
  return { bins, codes, counts, highest: highest(counts, bins, codes) };
}

function highest(counts: Uint32Array, bins: number, codes: number): number {
  let most = 0;
  for (let bin = 0; bin < bins; bin++) {
    let sum = 0;
    for (let code = 0; code < codes; code++) sum += counts[bin * codes + code]!;
    most = Math.max(most, sum);
  }
  return most;
}
