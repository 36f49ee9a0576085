/** A small curve of falling values, as a path in a box of 100 by 40. */
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
