/** The session's columns that tell something of one movie, in groups. */
import type { ColumnInfo } from "../../api/types";

/** What stands elsewhere on the page of a movie, or tells nothing there. */
const ELSEWHERE = ["id", "name", "status", "selection", "generation", "added"];

/** Columns by the step that measures them, in their order; those of no step are the movie's own. */
export function byStep(columns: readonly ColumnInfo[]): [string, ColumnInfo[]][] {
  const groups = new Map<string, ColumnInfo[]>();
  for (const column of columns) {
    if (ELSEWHERE.includes(column.name)) continue;
    const group = column.step || "movie";
    groups.set(group, [...(groups.get(group) ?? []), column]);
  }
  return [...groups];
}
