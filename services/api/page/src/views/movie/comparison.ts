/** Values of two results of a movie beside each other. */
import type { ColumnInfo, Movie } from "../../api/types";
import { resultValue } from "../../parts/values";

export interface Compared {
  column: ColumnInfo;
  now: number;
  tried: number;
  /** `tried - now`, 0 where both look alike with the column's digits; NaN where either is missing. */
  difference: number;
}

/** The step that tells when and how long others ran, which is nothing that settings change. */
const RUN = "run";

/** Columns that either result has a value of, in their order; first those that differ. */
export function compared(columns: readonly ColumnInfo[], now: Movie["results"], tried: Movie["results"]): Compared[] {
  const rows = columns
    .filter(({ step }) => step !== RUN)
    .map((column) => {
      const [before, after] = [
        resultValue({ results: now }, column.name),
        resultValue({ results: tried }, column.name),
      ];
      const difference = after - before;
      const alike = Math.abs(difference) < 0.5 * 10 ** -column.digits;
      return { column, now: before, tried: after, difference: alike ? 0 : difference };
    })
    .filter((row) => !(Number.isNaN(row.now) && Number.isNaN(row.tried)));
  return [...rows.filter(({ difference }) => difference !== 0), ...rows.filter(({ difference }) => difference === 0)];
}
