/** Movies as tiles with their thumbnails. Only those in sight exist. */
import { Badge, Empty } from "../../parts/controls";
import { rootFontPx } from "../../parts/format";
import { Picture } from "../../parts/picture";
import { stateWords } from "../../parts/state_words";
import { columnText } from "../../parts/values";
import { VirtualList } from "../../parts/virtual_list";
import { currentId, idsBetween } from "../../state/movie_list";
import { movies, moviesVersion } from "../../state/movies";
import { go, route } from "../../state/route";
import { mark, marked, markSeveral } from "../../state/selection";
import { columnByName } from "../../state/session";

const THUMBNAIL_PX = 256;
const TILE_WIDTH_REM = 10;
const VALUES_HEIGHT_REM = 3.6;

interface GalleryProps {
  /** Rows of the movies, in order. */
  rows: Uint32Array;
  label: string;
  /** Columns whose values stand below each picture. */
  columns: readonly string[];
  onPerRow?: (perRow: number) => void;
  /** What a click on a tile does; left out: it marks the movie. */
  onPick?: (id: number, event: MouseEvent) => void;
  /** The pointer is on the tile of this row, or has left (-1). */
  onHover?: (row: number) => void;
}

/** How a click marks: the movie alone; with Ctrl, or while several are marked, it adds or removes it; with Shift up to it. */
export function markByClick(id: number, event: Pick<MouseEvent, "ctrlKey" | "metaKey" | "shiftKey">): void {
  if (event.shiftKey) mark(idsBetween(currentId.peek() < 0 ? id : currentId.peek(), id), "add");
  else mark([id], event.ctrlKey || event.metaKey || markSeveral.peek() ? "toggle" : "replace");
  currentId.value = id;
}

export function Gallery({ rows, label, columns, onPerRow, onPick = markByClick, onHover }: GalleryProps) {
  moviesVersion.value;
  const rem = rootFontPx();
  const width = TILE_WIDTH_REM * rem;
  if (rows.length === 0) return <Empty>No movie to show.</Empty>;
  return (
    <VirtualList
      count={rows.length}
      rowHeight={Math.round(width + VALUES_HEIGHT_REM * rem)}
      tileWidth={width}
      label={label}
      role="listbox"
      current={rows.indexOf(movies.row(currentId.value))}
      activeId={currentId.value < 0 ? undefined : tileId(currentId.value)}
      anchor={{ keyAt: (index) => rows[index]!, indexOf: (row) => rows.indexOf(row) }}
      {...(onPerRow ? { onPerRow } : {})}
      item={(index) => (
        <Tile key={rows[index]} row={rows[index]!} columns={columns} onPick={onPick} onHover={onHover} />
      )}
    />
  );
}

function tileId(id: number): string {
  return `movie-${id}`;
}

interface TileProps {
  row: number;
  columns: readonly string[];
  onPick: (id: number, event: MouseEvent) => void;
  onHover: ((row: number) => void) | undefined;
}

function Tile({ row, columns, onPick, onHover }: TileProps) {
  moviesVersion.value;
  const id = movies.number("id", row);
  const name = movies.text("name", row);
  const [status, selection] = [movies.text("status", row), movies.text("selection", row)];
  const isMarked = marked.value.has(id);
  return (
    <div
      id={tileId(id)}
      class={`tile${id === currentId.value ? " current" : ""}`}
      role="option"
      aria-selected={isMarked}
      title={`${name}: ${stateWords(status)}`}
      onClick={(event) => onPick(id, event)}
      onPointerEnter={() => onHover?.(row)}
      onPointerLeave={() => onHover?.(-1)}
      onDblClick={() => go("movies", name, route.peek().query)}
    >
      <Thumbnail row={row} name={name} />
      <div class="tile-name">{name}</div>
      <div class="tile-values">
        {columns.map((column) => {
          const value = movies.number(column, row);
          return Number.isNaN(value) ? null : (
            <span key={column}>{columnText(value, columnByName.value.get(column))}</span>
          );
        })}
      </div>
      <div class="tile-state">
        <Badge word={selection === "auto" ? status : selection} />
      </div>
    </div>
  );
}

const WITH_PICTURE = ["processed", "filtered_out", "outdated", "queued", "processing"];

/** The movie's thumbnail; a plain box where it has no results yet, so that nothing is asked for in vain. */
function Thumbnail({ row, name }: { row: number; name: string }) {
  if (!WITH_PICTURE.includes(movies.text("status", row)) || Number.isNaN(movies.number("generation", row)))
    return <div class="picture" />;
  return (
    <Picture
      name={name}
      kind="thumbnail"
      alt=""
      generation={movies.number("generation", row)}
      query={{ size: THUMBNAIL_PX }}
    />
  );
}
