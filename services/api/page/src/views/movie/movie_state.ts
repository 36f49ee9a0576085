/** What is known of the shown movie, and when to ask again. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { api, refusal } from "../../api/client";
import type { PictureIndex } from "../../api/documents";
import { movieApi } from "../../api/movie";
import type { Movie, MovieDetails } from "../../api/types";
import { onEvent } from "../../state/sync";

/** What was asked for; null while it is on its way, and where `missing` says in one line why it is not there. */
export interface Loaded<T> {
  value: T | null;
  missing: string;
}

/** Asks for something, and again whenever `version` changes; the last answer stays until the next is there.
 *
 * Another `subject` begins from nothing. Nothing is asked for while it is not `there` yet.
 */
export function useLoaded<T>(
  load: (signal: AbortSignal) => Promise<T>,
  subject: string,
  version: number | string,
  there = true,
): Loaded<T> {
  const [held, setHeld] = useState<Loaded<T> & { subject: string }>({ value: null, missing: "", subject });
  useEffect(() => {
    if (!there) return;
    const abort = new AbortController();
    load(abort.signal).then(
      (value) => setHeld({ value, missing: "", subject }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const refused = refusal(error);
        if (refused !== null) setHeld({ value: null, missing: refused.message, subject });
      },
    );
    return () => abort.abort();
  }, [subject, version, there]);
  if (!there) return { value: null, missing: "Not measured yet." };
  return held.subject === subject ? held : { value: null, missing: "" };
}

export interface ShownMovie {
  movie: MovieDetails | null;
  index: PictureIndex | null;
  missing: string;
  /** Changes with everything that is told about the movie. */
  version: number;
  /** Ask again now. */
  reload: () => void;
}

/** The movie of this name, kept true. */
export function useMovie(name: string): ShownMovie {
  const [version, setVersion] = useState(0);
  const reload = useCallback(() => setVersion((before) => before + 1), []);
  useEffect(
    () =>
      onEvent((topic, body) => {
        const told = topic.startsWith("movie.") && (body as { movie?: Movie }).movie?.name === name;
        if (told || topic === "hello" || topic === "settings.changed") reload();
      }),
    [name],
  );
  const { value, missing } = useLoaded((signal) => api.item(name, signal), name, version);
  const index = useLoaded((signal) => movieApi.pictures(name, signal), name, version);
  return { movie: value, index: index.value, missing, version, reload };
}

/** Whether the movie has results of this step, so that what the step has stored can be asked for. */
export function hasResults(movie: Pick<Movie, "results"> | null, step: "motion" | "ctf" | "picking"): boolean {
  return Boolean(movie?.results[step]);
}

/** Whether the scheduler can put the movie before all others: it waits, and is not excluded. */
export function canGoFirst({ status, selection }: Pick<Movie, "status" | "selection">): boolean {
  return (status === "unprocessed" || status === "outdated") && selection !== "exclude";
}
