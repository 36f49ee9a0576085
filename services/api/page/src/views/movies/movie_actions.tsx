/** What operators do with movies in every view that shows many: include, exclude, leave to the filter, try again, undo. */
import { useEffect } from "preact/hooks";
import { api } from "../../api/client";
import { Button } from "../../parts/controls";
import { counted } from "../../parts/format";
import { type KeyBinding, useKeys } from "../../parts/keys";
import { Menu } from "../../parts/menu";
import { chosenIds, currentId } from "../../state/movie_list";
import { movies } from "../../state/movies";
import { notify, notifyProblem } from "../../state/notices";
import { go, route } from "../../state/route";
import { loadUndoable, mark, markedCount, select, undoable, undoLast } from "../../state/selection";

const KEYS: readonly KeyBinding[] = [
  { key: "i", text: "Include the marked movies", run: () => void select("include", chosenIds()) },
  { key: "x", text: "Exclude the marked movies", run: () => void select("exclude", chosenIds()) },
  { key: "f", text: "Leave the marked movies to the filter", run: () => void select("auto", chosenIds()) },
  { key: "u", text: "Undo the last choice of movies", run: () => void undoLast() },
  { key: "Enter", text: "Open the movie", run: openMovie },
  { key: "Escape", text: "Unmark all movies", run: () => mark([]) },
];

/** Keys of `MovieActions`, and what can still be undone from before the page was loaded. */
export function useActionKeys(): void {
  useKeys(KEYS);
  useEffect(() => void loadUndoable(), []);
}

/** The movie that is shown on its own by Enter: the current one, else the first that is marked. */
function openMovie(): void {
  const ids = chosenIds();
  const row = movies.row(ids.includes(currentId.peek()) ? currentId.peek() : (ids[0] ?? -1));
  if (row >= 0) go("movies", movies.text("name", row), route.peek().query);
}

export function MovieActions() {
  const none = chosenIds().length === 0;
  return (
    <div class="movie-actions">
      <span class="marked-count">{counted(markedCount.value, "movie")} marked</span>
      <Button title="Show the movie on its own (Enter)" disabled={none} onClick={openMovie}>
        Open
      </Button>
      <Button
        title="Use them whatever the filter says (i)"
        disabled={none}
        onClick={() => void select("include", chosenIds())}
      >
        Include
      </Button>
      <Button title="Leave them out (x)" disabled={none} onClick={() => void select("exclude", chosenIds())}>
        Exclude
      </Button>
      <Button title="Let the filter decide (f)" disabled={none} onClick={() => void select("auto", chosenIds())}>
        To filter
      </Button>
      <Button title="Undo the last choice (u)" disabled={undoable.value.length === 0} onClick={() => void undoLast()}>
        Undo
      </Button>
      <Menu
        label="More actions"
        items={[
          { text: "Try again those that failed", run: () => void retryFailed(), disabled: none },
          { text: "Unmark all", run: () => mark([]), disabled: markedCount.value === 0 },
        ]}
      >
        More
      </Menu>
    </div>
  );
}

async function retryFailed(): Promise<void> {
  const failed = chosenIds().filter((id) => movies.text("status", movies.row(id)) === "failed");
  if (failed.length === 0) {
    notify("None of these movies has failed");
    return;
  }
  try {
    const { retried } = await api.retryMany({ ids: failed });
    notify(`${counted(retried, "movie")} queued again`);
  } catch (error) {
    notifyProblem(error);
  }
}
