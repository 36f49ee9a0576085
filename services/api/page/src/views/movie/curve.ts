/** How curves are drawn: a small one as a path in a box of 100 by 40, and the range of values that is worth seeing. */
import { pathThrough } from "./tracks";

export const CURVE_BOX = { width: 100, height: 40 };

/** The path of `values` at `steps` of `all`; from the largest value at the top to 0 at the bottom. */
export function curvePath(steps: readonly number[], values: readonly number[], all: number): string {
  const largest = Math.max(...values, Number.MIN_VALUE);
  return pathThrough(
    steps.map((step, place) => [
      (CURVE_BOX.width * step) / Math.max(all, 1),
      CURVE_BOX.height * (1 - values[place]! / largest),
    ]),
  );
}

const RARE = 0.03;
const RIM = 0.3;

/** The range of most values, with a rim: a few that are far away from all others do not flatten them. */
export function usualRange(values: readonly number[]): [number, number] {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  const [low, high] = [at(RARE), at(1 - RARE)];
  const rim = RIM * (high - low) || 1;
  return [low - rim, high + rim];
}
