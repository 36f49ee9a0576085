/** How the session's movies are judged by the filter, as arrays by row for `kept.ts`. */
import type { Sections } from "../../api/settings";
import type { ColumnInfo } from "../../api/types";
import { isMeasured, type Limits } from "../../state/filter_limits";
import type { MovieStore } from "../../state/movies";
import { Judged, type LimitedColumn } from "./kept";

/** The column whose values count as particles. */
export const PARTICLES = "picking.count";

/** How each movie is judged: those with all results by the filter, except where the user has chosen. */
export function judgedMovies(store: MovieStore): Uint8Array {
  const judged = new Uint8Array(store.count);
  const status = store.columns.get("status");
  const selection = store.columns.get("selection");
  if (status?.kind !== "word" || selection?.kind !== "word") return judged;
  const done = ["processed", "filtered_out"].map((word) => status.words.indexOf(word));
  const [included, excluded] = ["include", "exclude"].map((word) => selection.words.indexOf(word));
  for (let row = 0; row < judged.length; row++) {
    const code = status.codes[row]!;
    if (code < 0 || !done.includes(code)) continue;
    const chosen = selection.codes[row]!;
    judged[row] = Judged.byFilter;
    if (chosen >= 0 && chosen === included) judged[row] = Judged.included;
    if (chosen >= 0 && chosen === excluded) judged[row] = Judged.excluded;
  }
  return judged;
}

/** The columns with limits that can reject a movie. Results of a step that is switched off reject none. */
export function limitedBy(
  store: MovieStore,
  columns: readonly ColumnInfo[],
  settings: Sections,
  limitsOf: (column: string) => Limits,
): Map<string, LimitedColumn> {
  const limited = new Map<string, LimitedColumn>();
  for (const column of columns) {
    const values = store.numbers(column.name);
    if (values === undefined || !isMeasured(column) || settings[column.step]?.enabled === false) continue;
    const failed = column.failed ? failedMovies(store, columns, column) : null;
    limited.set(column.name, { values, failed, ...limitsOf(column.name) });
  }
  return limited;
}

/** Movies whose step has found nothing at all: no column of it has a value. */
function failedMovies(store: MovieStore, columns: readonly ColumnInfo[], { step }: ColumnInfo): Uint8Array {
  const failed = new Uint8Array(store.count).fill(1);
  for (const other of columns) {
    const values = other.step === step ? store.numbers(other.name) : undefined;
    if (values === undefined) continue;
    for (let row = 0; row < failed.length; row++) if (!Number.isNaN(values[row])) failed[row] = 0;
  }
  return failed;
}
