/** What operators do with movies in every view that shows many: include, exclude, leave to the filter, try again, undo. */

import { useEffect } from "preact/hooks";
import type { Selection } from "../../api/types";
import { Button } from "../../parts/controls";
import { counted } from "../../parts/format";
import { useKeys } from "../../parts/keys";
import { Menu } from "../../parts/menu";
import { retry } from "../../state/failed";
import { currentId } from "../../state/movie_list";
import { movies } from "../../state/movies";
import { notify } from "../../state/notices";
import { go, route } from "../../state/route";
import { loadUndoable, mark, markedCount, select, undoable, undoLast } from "../../state/selection";

/** The ids that the actions act on; they are asked for when one is carried out. */
type Chosen = () => readonly number[];

/** Keys of `MovieActions`, and what can still be undone from before the page was loaded. */
export function useActionKeys(chosen: Chosen): void {
  useKeys([
    { key: "i", operates: true, text: "Include the marked movies", run: () => choose("include", chosen) },
    { key: "x", operates: true, text: "Exclude the marked movies", run: () => choose("exclude", chosen) },
    { key: "f", operates: true, text: "Leave the marked movies to the filter", run: () => choose("auto", chosen) },
    { key: "u", operates: true, text: "Undo the last choice of movies", run: () => void undoLast() },
    { key: "Enter", text: "Open the movie", run: () => openMovie(chosen) },
    { key: "Escape", text: "Unmark all movies", run: () => mark([]) },
  ]);
  useEffect(() => void loadUndoable(), []);
}

function choose(selection: Selection, chosen: Chosen): void {
  const ids = chosen();
  if (ids.length === 0) notify("No movie is marked.");
  else void select(selection, ids);
}

/** The movie that is shown on its own by Enter: the current one, else the first that is marked. */
function openMovie(chosen: Chosen): void {
  const ids = chosen();
  const row = movies.row(ids.includes(currentId.peek()) ? currentId.peek() : (ids[0] ?? -1));
  if (row >= 0) go("movies", movies.text("name", row), route.peek().query);
}

export function MovieActions({ chosen }: { chosen: Chosen }) {
  const ids = chosen();
  const none = ids.length === 0;
  const which = ids.length === 1 ? movies.nameOf(ids[0]!) : "the marked movies";
  return (
    <div class="movie-actions">
      <span class="marked-count">{counted(markedCount.value, "movie")} marked</span>
      <Button title="Show the movie on its own (Enter)" disabled={none} onClick={() => openMovie(chosen)}>
        Open
      </Button>
      <Button
        operates
        title={`Use ${which} whatever the filter says (i)`}
        disabled={none}
        onClick={() => choose("include", chosen)}
      >
        Include
      </Button>
      <Button operates title={`Leave ${which} out (x)`} disabled={none} onClick={() => choose("exclude", chosen)}>
        Exclude
      </Button>
      <Button
        operates
        title={`Let the filter decide on ${which} (f)`}
        disabled={none}
        onClick={() => choose("auto", chosen)}
      >
        To filter
      </Button>
      <Button
        operates
        title="Undo the last choice (u)"
        disabled={undoable.value.length === 0}
        onClick={() => void undoLast()}
      >
        Undo
      </Button>
      <Menu
        label="More actions"
        items={[
          { text: "Try again those that failed", run: () => retryFailed(ids), disabled: none, operates: true },
          { text: "Unmark all", run: () => mark([]), disabled: markedCount.value === 0 },
        ]}
      >
        More
      </Menu>
    </div>
  );
}

function retryFailed(ids: readonly number[]): void {
  const failed = ids.filter((id) => movies.text("status", movies.row(id)) === "failed");
  if (failed.length === 0) notify("None of these movies has failed.");
  else void retry({ ids: failed });
}
