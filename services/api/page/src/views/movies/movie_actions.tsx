/** What operators do with movies in every view that shows many: include, exclude, leave to the filter, try again, undo. */
import { api } from "../../api/client";
import { Button } from "../../parts/controls";
import { counted } from "../../parts/format";
import { type KeyBinding, useKeys } from "../../parts/keys";
import { Menu } from "../../parts/menu";
import { chosenIds } from "../../state/movie_list";
import { movies } from "../../state/movies";
import { notify, notifyProblem } from "../../state/notices";
import { mark, markedCount, select, undoable, undoLast } from "../../state/selection";

const KEYS: readonly KeyBinding[] = [
  { key: "i", text: "Include the marked movies", run: () => void select("include", chosenIds()) },
  { key: "x", text: "Exclude the marked movies", run: () => void select("exclude", chosenIds()) },
  { key: "f", text: "Leave the marked movies to the filter", run: () => void select("auto", chosenIds()) },
  { key: "u", text: "Undo the last choice of movies", run: () => void undoLast() },
  { key: "Escape", text: "Unmark all movies", run: () => mark([]) },
];

/** Keys of `MovieActions`. */
export function useActionKeys(): void {
  useKeys(KEYS);
}

export function MovieActions() {
  const none = chosenIds().length === 0;
  return (
    <div class="movie-actions">
      <span class="marked-count">{counted(markedCount.value, "movie")} marked</span>
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
  if (failed.length === 0) return notify("None of these movies has failed");
  try {
    const { retried } = await api.retryMany({ ids: failed });
    notify(`${counted(retried, "movie")} queued again`);
  } catch (error) {
    notifyProblem(error);
  }
}
