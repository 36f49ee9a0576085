/** Statuses of movies, states of what works on them, and kinds of failure, in the words of all views. */
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

/** A status, state or kind for people: `filtered_out` is "filtered out". */
export function stateWords(state: string): string {
  return WORDS.get(state) ?? state.replaceAll("_", " ");
}

/** Columns whose words are statuses or choices; the words of others are names, which stay as they are. */
const OF_STATES = ["status", "selection"];

/** A word of a column of movies for people. */
export function columnWords(word: string, column: string): string {
  return OF_STATES.includes(column) ? stateWords(word) : word;
}
