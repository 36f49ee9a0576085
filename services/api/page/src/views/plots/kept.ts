/** What the filter would keep with other limits, by the rules of the session's filter (`filter_reasons`). */
import type { Limits } from "../../state/filter_limits";

export interface LimitedColumn extends Limits {
  values: Float64Array;
  /** Movies whose step found nothing: rejected where the column has a limit. Other missing values pass. */
  failed: Uint8Array | null;
}

/** How a movie is judged: not at all while it has no results, by the filter, or as the user has said. */
export const Judged = { no: 0, byFilter: 1, included: 2, excluded: 3 } as const;

export interface Kept {
  movies: number;
  /** Movies that are judged. */
  total: number;
  particles: number;
}

/** 1 for each movie that all limits let pass, else 0. */
export function passing(count: number, columns: readonly LimitedColumn[]): Uint8Array {
  const passes = new Uint8Array(count).fill(1);
  for (const column of columns) reject(passes, column);
  return passes;
}

function reject(passes: Uint8Array, { values, failed, low, high }: LimitedColumn): void {
  if (low === null && high === null) return;
  const least = low ?? -Infinity;
  const most = high ?? Infinity;
  for (let row = 0; row < passes.length; row++) {
    const value = values[row]!;
    // NaN is neither below nor above.
    if (value < least || value > most || failed?.[row] === 1) passes[row] = 0;
  }
}

/** Counts the movies that stay, of those that `judged` names, and their particles; null: not known. */
export function countKept(judged: Uint8Array, passes: Uint8Array, particles: Float64Array | null): Kept {
  const kept: Kept = { movies: 0, total: 0, particles: 0 };
  for (let row = 0; row < judged.length; row++) {
    const how = judged[row];
    if (how === Judged.no) continue;
    kept.total++;
    if (how === Judged.excluded || (how === Judged.byFilter && passes[row] === 0)) continue;
    kept.movies++;
    const count = particles === null ? 0 : particles[row]!;
    if (count > 0) kept.particles += count;
  }
  return kept;
}

/** Counts while the limits of some columns change: the others are looked at once. */
export class KeptCounter {
  private readonly others: Uint8Array;

  constructor(
    private readonly judged: Uint8Array,
    private readonly particles: Float64Array | null,
    others: readonly LimitedColumn[],
  ) {
    this.others = passing(judged.length, others);
  }

  /** What stays with these limits on the columns that change. */
  count(columns: readonly LimitedColumn[]): Kept {
    const passes = this.others.slice();
    for (const column of columns) reject(passes, column);
    return countKept(this.judged, passes, this.particles);
  }
}
