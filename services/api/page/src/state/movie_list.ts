/** The list of movies that gallery, table and single movie walk through: filter and order of the URL, and a cursor. */
import { computed, signal } from "@preact/signals";
import { type MovieFilter, matching, parseFilter } from "./filters";
import { movies, moviesVersion } from "./movies";
import { route } from "./route";
import { marked } from "./selection";
import { parseSort, type SortKey, sortedRows } from "./sorting";

const SEPARATOR = "\n";

/** The newest movies stand first where the URL names no order. */
export const USUAL_SORT = "-added";

// Texts in between: the list is made anew only where its own part of the URL has changed.
const filterTexts = computed(() => route.value.query.getAll("filter").join(SEPARATOR));
const sortKeys = computed(() => route.value.query.get("sort") ?? USUAL_SORT);

/** Whether only marked movies are listed. */
export const onlyMarked = computed(() => route.value.query.get("only") === "marked");

export const listFilters = computed<readonly MovieFilter[]>(() =>
  filterTexts.value
    .split(SEPARATOR)
    .map(parseFilter)
    .filter((one) => one !== null),
);
export const listSort = computed<readonly SortKey[]>(() => parseSort(sortKeys.value));

/** The rows of the listed movies, in order. */
export const listedRows = computed<Uint32Array>(() => {
  moviesVersion.value;
  const included = matching(movies, listFilters.value);
  if (onlyMarked.value) {
    const ids = movies.numbers("id");
    for (let row = 0; row < included.length; row++) if (!marked.value.has(ids![row]!)) included[row] = 0;
  }
  return sortedRows(movies, included, listSort.value);
});

/** The id of the movie that has the operator's attention; -1: none yet. */
export const currentId = signal(-1);

/** The place of the current movie in the list, -1 where it is not in it. */
export const currentIndex = computed(() => listedRows.value.indexOf(movies.row(currentId.value)));

/** The id of the movie so many places on from one with this id; at the ends the list stops. -1 for an empty list. */
export function stepFrom(id: number, step: number): number {
  const rows = listedRows.peek();
  if (rows.length === 0) return -1;
  const place = rows.indexOf(movies.row(id));
  const next = place < 0 ? 0 : Math.min(Math.max(place + step, 0), rows.length - 1);
  return movies.number("id", rows[next]!);
}

/** The ids of the listed movies between two of them, both included, in order. */
export function idsBetween(one: number, other: number): number[] {
  const rows = listedRows.peek();
  const places = [one, other].map((id) => rows.indexOf(movies.row(id))).filter((place) => place >= 0);
  if (places.length === 0) return [];
  const part = rows.subarray(Math.min(...places), Math.max(...places) + 1);
  return Array.from(part, (row) => movies.number("id", row));
}

/** What an action acts on where marks alone tell: the marked movies. */
export function markedIds(): number[] {
  return [...marked.value];
}

/** What an action acts on in a list: the marked movies, or the current one where none is marked and it is listed. */
export function chosenIds(): number[] {
  if (marked.value.size > 0) return markedIds();
  return currentIndex.value < 0 ? [] : [currentId.value];
}
