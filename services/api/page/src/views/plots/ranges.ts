/** What part of the values a plot shows. */
import type { Area } from "./raster";

const SAMPLE = 20_000;
const OUTER_QUANTILE = 0.005;

/**
 * A range that shows nearly all values: the whole one, cut where a few values lie far away from the rest. `also` are
 * values that shall be in sight where they are not far away, such as limits. Where there is no value it is 0 to 1.
 */
export function usefulRange(values: Float64Array, also: readonly number[] = []): [number, number] {
  const sorted = sampled(values);
  if (sorted.length === 0) return [0, 1];
  const inner = [quantile(sorted, OUTER_QUANTILE), quantile(sorted, 1 - OUTER_QUANTILE)] as const;
  const reach = (inner[1] - inner[0]) / 2;
  let low = Math.max(sorted[0]!, inner[0] - reach);
  let high = Math.min(sorted[sorted.length - 1]!, inner[1] + reach);
  const spread = high - low || Math.abs(high) || 1;
  for (const value of also) {
    if (value >= low - spread && value <= high + spread) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const margin = (high - low || spread) * 0.06;
  return [low - margin, high + margin];
}

function sampled(values: Float64Array): Float64Array {
  const step = Math.max(1, Math.floor(values.length / SAMPLE));
  const finite = new Float64Array(Math.ceil(values.length / step));
  let count = 0;
  for (let row = 0; row < values.length; row += step) if (Number.isFinite(values[row])) finite[count++] = values[row]!;
  return finite.subarray(0, count).sort();
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.round(share * (sorted.length - 1))]!;
}

/** The least and largest of the values, 0 to 1 where there is none. */
export function extent(values: Float64Array): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

/** `range` with a little room at both ends, never empty. */
export function padded([low, high]: readonly [number, number], share = 0.01): [number, number] {
  const margin = (high - low) * share || 0.5;
  return [low - margin, high + margin];
}

/** `range` made `factor` times as wide about `centre`, never wider than `whole` nor empty. */
export function zoomed(
  range: readonly [number, number],
  centre: number,
  factor: number,
  whole: readonly [number, number],
): [number, number] {
  const least = (whole[1] - whole[0]) * 1e-6;
  const wanted = Math.max((range[1] - range[0]) * factor, least);
  if (wanted >= whole[1] - whole[0]) return [whole[0], whole[1]];
  const low = centre - ((centre - range[0]) / (range[1] - range[0])) * wanted;
  return moved([low, low + wanted], 0, whole);
}

/** `range` moved by `shift`, kept inside `whole`. */
export function moved(
  range: readonly [number, number],
  shift: number,
  whole: readonly [number, number],
): [number, number] {
  const width = range[1] - range[0];
  const low = Math.min(Math.max(range[0] + shift, whole[0]), whole[1] - width);
  return [low, low + width];
}

/** The area that two ranges span. */
export function areaOf(x: readonly [number, number], y: readonly [number, number]): Area {
  return { left: x[0], right: x[1], bottom: y[0], top: y[1] };
}
