/** The marked movies beside the plots: what is selected in any of them, as thumbnails. */
import { Empty, Panel } from "../../parts/controls";
import { movies } from "../../state/movies";
import { Gallery } from "../movies/gallery";
import { MovieActions } from "../movies/movie_actions";
import { markedRows } from "./plot_state";

export function MarkedPanel({ columns }: { columns: readonly string[] }) {
  const rows = rowsOf(markedRows.value);
  return (
    <Panel title="Marked movies" actions={<MovieActions />}>
      {rows.length === 0 ? (
        <Empty>Draw over points in any plot to mark their movies: they show here and in all plots.</Empty>
      ) : (
        <Gallery rows={rows} label="Marked movies" columns={columns} />
      )}
    </Panel>
  );
}

function rowsOf(mask: Uint8Array | null): Uint32Array {
  if (mask === null) return new Uint32Array();
  const rows = new Uint32Array(movies.count);
  let count = 0;
  for (let row = 0; row < mask.length; row++) if (mask[row] === 1) rows[count++] = row;
  return rows.slice(0, count);
}
