/** The movie's name, status and selection, and what can be done with it. */
import { api } from "../../api/client";
import type { Movie, MovieDetails, Selection } from "../../api/types";
import { Badge, Button, Segments } from "../../parts/controls";
import { retry as retryMovies } from "../../state/failed";
import { listedRows, stepFrom } from "../../state/movie_list";
import { movies } from "../../state/movies";
import { act, notify } from "../../state/notices";
import { go, hrefOf, route } from "../../state/route";
import { select, undoable, undoLast } from "../../state/selection";
import { canGoFirst } from "./movie_state";
import { goToTry } from "./try_panel";
import { tool } from "./viewer_choices";

export function Heading({ movie, reload }: { movie: MovieDetails; reload: () => void }) {
  return (
    <header class="movie-heading">
      <a href={hrefOf("movies", "", route.value.query)} title="All listed movies (Escape)">
        Movies
      </a>
      <Neighbour name={movie.name} steps={-1} label="Previous movie" sign="‹" />
      <Neighbour name={movie.name} steps={1} label="Next movie" sign="›" />
      <h2>{movie.name}</h2>
      <Badge word={movie.status} />
      {movie.waitsFor && <strong class="bad">waits: {movie.waitsFor}</strong>}
      {movie.outdatedSteps.length > 0 && <span class="hint">to run again: {movie.outdatedSteps.join(", ")}</span>}
      {movie.filterReasons.length > 0 && <span class="hint">{movie.filterReasons.join("; ")}</span>}
      <div class="toolbar-end">
        <Segments<Selection>
          operates
          label="Selection"
          value={movie.selection}
          onChange={(selection) => void choose(movie, selection, reload)}
          choices={[
            { value: "auto", text: "by filter", title: "The filter decides (f)" },
            { value: "include", text: "include", title: "Always include (i)" },
            { value: "exclude", text: "exclude", title: "Always exclude (x)" },
          ]}
        />
        <Button
          operates
          disabled={undoable.value.length === 0}
          title={`Undo the last choice of movies${tool.value === "pick" ? "" : " (u)"}`}
          onClick={() => void undoLast().then(reload)}
        >
          Undo
        </Button>
        <Button onClick={goToTry} title="Process it aside with other settings (t)">
          Try with …
        </Button>
        {canGoFirst(movie) && (
          <Button operates onClick={() => void first(movie, reload)} title="Process it before all others that wait">
            This one now
          </Button>
        )}
        {movie.status === "failed" && (
          <Button operates kind="primary" onClick={() => void retry(movie, reload)} title="Try it again (r)">
            Retry
          </Button>
        )}
      </div>
    </header>
  );
}

function Neighbour({ name, steps, label, sign }: { name: string; steps: number; label: string; sign: string }) {
  listedRows.value; // The neighbour changes with the list.
  const next = neighbour(name, steps);
  if (next === "")
    return (
      <span class="button" aria-hidden="true">
        {sign}
      </span>
    );
  return (
    <a
      class="button"
      href={hrefOf("movies", next, route.value.query)}
      aria-label={label}
      title={`${next} (${steps < 0 ? "←" : "→"})`}
    >
      {sign}
    </a>
  );
}

/** The name of the movie so many places further on in the list; empty beyond its ends. */
function neighbour(name: string, steps: number): string {
  const row = movies.rowOfName(name);
  if (row < 0) return "";
  const next = movies.row(stepFrom(movies.number("id", row), steps));
  return next === row || next < 0 ? "" : movies.text("name", next);
}

/** Shows the movie so many places further on. */
export function goTo(name: string, steps: number): void {
  const next = neighbour(name, steps);
  if (next) go("movies", next, route.peek().query);
  else notify(steps > 0 ? "This is the last movie." : "This is the first movie.");
}

export async function choose(movie: Movie, selection: Selection, reload: () => void): Promise<void> {
  await select(selection, [movie.id]);
  reload();
}

/** Queues a failed movie again; of another it says that there is nothing to try again. */
export async function retry({ id, name, status }: Movie, reload: () => void): Promise<void> {
  if (status !== "failed") {
    notify(`${name} has not failed.`);
    return;
  }
  await retryMovies({ ids: [id] });
  reload();
}

function first({ name }: Movie, reload: () => void): Promise<void> {
  return act(api.first(name), () => {
    notify(`${name} goes before all others that wait.`);
    reload();
  });
}
