/** Failed movies by kind of failure. */
import type { Movie } from "../../api/types";

/** The meaning of each kind, as bus/vocabulary.py has it. */
export const KINDS: Record<string, string> = {
  input: "The file cannot be used; it is not tried again by itself.",
  resource: "Memory was short; tried again after a pause.",
  disk_full: "The disk was full; the session holds, and tries the movie again when there is room.",
  storage_away: "A folder was away or did not answer; the movie is tried again when it is back.",
  lost_worker: "The worker died or fell silent; tried again elsewhere.",
  bad_gpu: "The GPU failed; the worker is set aside and the movie tried again elsewhere.",
  internal: "An error in warpcore; tried twice more, elsewhere first.",
  poisoned: "The movie has cost several workers; it needs a person's word.",
  conflict: "Another movie has the same name, so their outputs would meet.",
};

export interface FailureGroup {
  kind: string;
  movies: Movie[];
}

/** Groups in the order of their first movie. */
export function byKind(movies: readonly Movie[]): FailureGroup[] {
  const groups = new Map<string, Movie[]>();
  for (const movie of movies) {
    const kind = movie.failure?.kind ?? "unknown";
    groups.set(kind, [...(groups.get(kind) ?? []), movie]);
  }
  return [...groups].map(([kind, members]) => ({ kind, movies: members }));
}
