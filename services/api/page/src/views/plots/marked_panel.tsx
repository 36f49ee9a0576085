/** The marked movies beside the plots: what is selected in any of them, as thumbnails. */
import { Empty, Panel } from "../../parts/controls";
import { useKeys } from "../../parts/keys";
import { currentId, markedIds } from "../../state/movie_list";
import { movies } from "../../state/movies";
import { mark } from "../../state/selection";
import { Gallery } from "../movies/gallery";
import { MovieActions } from "../movies/movie_actions";
import { hoveredRow, markedRows } from "./plot_state";

export function MarkedPanel({ columns }: { columns: readonly string[] }) {
  const rows = rowsOf(markedRows.value);
  const walk = (step: number) => {
    const place = Math.min(Math.max(rows.indexOf(movies.row(currentId.peek())) + step, 0), rows.length - 1);
    if (place >= 0) currentId.value = movies.number("id", rows[place]!);
  };
  useKeys([
    { key: "j", text: "Next marked movie", run: () => walk(1) },
    { key: "k", text: "Previous marked movie", run: () => walk(-1) },
  ]);
  return (
    <Panel title="Marked movies" actions={<MovieActions chosen={markedIds} />}>
      {rows.length === 0 ? (
        <Empty>Draw over points in any plot to mark their movies: they show here and in all plots.</Empty>
      ) : (
        <Gallery
          rows={rows}
          label="Marked movies"
          columns={columns}
          onPick={pick}
          onHover={(row) => {
            hoveredRow.value = row;
          }}
        />
      )}
    </Panel>
  );
}

/** A click looks at a movie and leaves the marks, which took work to draw; with Ctrl it takes its mark away. */
function pick(id: number, event: MouseEvent): void {
  if (event.ctrlKey || event.metaKey) mark([id], "toggle");
  else currentId.value = id;
}

function rowsOf(mask: Uint8Array | null): Uint32Array {
  if (mask === null) return new Uint32Array();
  const rows = new Uint32Array(movies.count);
  let count = 0;
  for (let row = 0; row < mask.length; row++) if (mask[row] === 1) rows[count++] = row;
  return rows.slice(0, count);
}
