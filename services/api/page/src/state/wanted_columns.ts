/** Which columns of the movies the page loads: those that every view needs, and those that views have asked for. */
import { signal } from "@preact/signals";

const ALWAYS = ["name", "status", "selection", "priority", "worker", "generation", "acquired"];

/** All columns that are wanted. A column once asked for stays. */
export const wantedColumns = signal<readonly string[]>(ALWAYS);

/** Load these columns too from now on. Give only columns that the API has. */
export function wantColumns(names: Iterable<string>): void {
  const all = new Set([...wantedColumns.peek(), ...names]);
  all.delete("id");
  all.delete("added");
  if (all.size > wantedColumns.peek().length) wantedColumns.value = [...all];
}
