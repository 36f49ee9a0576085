/** Statuses of movies and states of what works on them, in the words of all views. */
import type { MovieStatus } from "../api/types";

/** Movies' statuses in the order in which they are told. */
export const STATUS_WORDS: readonly (readonly [MovieStatus, string])[] = [
  ["processed", "processed"],
  ["filtered_out", "filtered out"],
  ["failed", "failed"],
  ["processing", "in work"],
  ["queued", "queued"],
  ["outdated", "to run again"],
  ["unprocessed", "waiting"],
];

const WORDS: ReadonlyMap<string, string> = new Map(STATUS_WORDS);

/** A status or state for people: `filtered_out` is "filtered out". */
export function stateWords(state: string): string {
  return WORDS.get(state) ?? state.replaceAll("_", " ");
}
