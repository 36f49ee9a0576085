/** Steps and ranges of axes that people read easily, and that stay where they are while movies arrive. */

/** The largest of 1, 2, 5 × 10ⁿ that is not above `value`. */
export function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [5, 2, 1].find((one) => one * power <= value * (1 + 1e-9)) ?? 1;
  return factor * power;
}

/** `value` to a multiple of `step`, without the tail that binary fractions leave. */
export function toStep(value: number, step: number): number {
  return Number((Math.round(value / step) * step).toPrecision(12));
}

const MOST_DECIMALS = 9;

/** How many decimals a multiple of `step` has. */
export function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < MOST_DECIMALS; decimals++) {
    const scaled = step * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6) return decimals;
  }
  return MOST_DECIMALS;
}

/**
 * The range to show now that all values would need `wanted`: the former one while it holds these and they fill over half
 * of it, so that axes do not move with each movie.
 */
export function steadyRange(
  before: readonly [number, number] | null,
  wanted: readonly [number, number],
): readonly [number, number] {
  if (before === null) return wanted;
  const holds = wanted[0] >= before[0] && wanted[1] <= before[1];
  return holds && wanted[1] - wanted[0] > (before[1] - before[0]) / 2 ? before : wanted;
}

/** A range for `count` movies in order with room for some more. */
export function orderRange(count: number): [number, number] {
  if (count === 0) return [0, 10];
  const step = roundStep(Math.max(count, 10)) / 10;
  return [0, Math.ceil((count + 0.5) / step) * step];
}
