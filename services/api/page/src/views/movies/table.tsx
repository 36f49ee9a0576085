/** Movies as rows of a table. Only those in sight exist; a click on a heading sorts. */
import type { ColumnInfo } from "../../api/types";
import { Badge, Empty } from "../../parts/controls";
import { rootFontPx } from "../../parts/format";
import { isMoment, unitText, valueText } from "../../parts/values";
import { VirtualList } from "../../parts/virtual_list";
import { currentId, currentIndex, listedRows, listSort } from "../../state/movie_list";
import { movies, moviesVersion } from "../../state/movies";
import { hrefOf, route, setQuery } from "../../state/route";
import { marked } from "../../state/selection";
import { sortedBy, sortText } from "../../state/sorting";
import { markByClick } from "./gallery";

const ROW_HEIGHT_REM = 1.9;

export function MovieTable({ columns }: { columns: readonly ColumnInfo[] }) {
  moviesVersion.value;
  const rows = listedRows.value;
  const rem = rootFontPx();
  const widths = columns.map(widthOf);
  const style = { gridTemplateColumns: widths.join(" "), height: `${Math.round(ROW_HEIGHT_REM * rem)}px` };
  return (
    <>
      <VirtualList
        count={rows.length}
        rowHeight={Math.round(ROW_HEIGHT_REM * rem)}
        label="Movies"
        role="grid"
        current={currentIndex.value}
        activeId={currentId.value < 0 ? undefined : rowId(currentId.value)}
        anchor={{ keyAt: (index) => rows[index]!, indexOf: (row) => rows.indexOf(row) }}
        header={<Header columns={columns} style={style} />}
        item={(index) => <Row key={rows[index]} row={rows[index]!} place={index} columns={columns} style={style} />}
      />
      {rows.length === 0 && <Empty>No movie fits.</Empty>}
    </>
  );
}

function widthOf(column: ColumnInfo): string {
  if (column.kind === "text") return "minmax(14rem, 2fr)";
  return isMoment(column) ? "minmax(11rem, 1fr)" : "minmax(6.5rem, 1fr)";
}

type Style = Record<string, string>;

function rowId(id: number): string {
  return `row-${id}`;
}

function Header({ columns, style }: { columns: readonly ColumnInfo[]; style: Style }) {
  const keys = listSort.value;
  const sort = (name: string, more: boolean) => setQuery({ sort: sortText(sortedBy(keys, name, more)) });
  return (
    <div class="movie-row movie-header" role="row" style={style}>
      {columns.map((column) => {
        const { name, heading, description, kind } = column;
        const unit = unitText(column);
        const key = keys.find((one) => one.column === name);
        const direction = key && (key.descending ? "descending" : "ascending");
        return (
          <div key={name} role="columnheader" class={kind} aria-sort={direction ?? "none"}>
            <button
              type="button"
              title={`${description}. Click to sort; with Shift to sort further by it`}
              onClick={(event) => sort(name, event.shiftKey)}
            >
              {heading} {unit && <small>{unit}</small>} {key && (key.descending ? "▼" : "▲")}
            </button>
          </div>
        );
      })}
    </div>
  );
}

interface RowProps {
  row: number;
  place: number;
  columns: readonly ColumnInfo[];
  style: Style;
}

function Row({ row, place, columns, style }: RowProps) {
  moviesVersion.value;
  const id = movies.number("id", row);
  return (
    <div
      id={rowId(id)}
      class={`movie-row${id === currentId.value ? " current" : ""}`}
      role="row"
      aria-rowindex={place + 2}
      aria-selected={marked.value.has(id)}
      style={style}
      onClick={(event) => markByClick(id, event)}
    >
      {columns.map((column) => (
        <div key={column.name} role="gridcell" class={column.kind}>
          <Cell column={column} row={row} />
        </div>
      ))}
    </div>
  );
}

function Cell({ column, row }: { column: ColumnInfo; row: number }) {
  const { name, kind } = column;
  const text = movies.text(name, row);
  if (name === "name") return <MovieLink name={text} />;
  if (name === "status" || name === "selection") return <Badge word={text} />;
  return <>{kind === "word" ? text : valueText(movies.number(name, row), column)}</>;
}

/** Opens the movie with the list's filter, order and marks, which the click leaves as they are. */
function MovieLink({ name }: { name: string }) {
  return (
    <a href={hrefOf("movies", name, route.value.query)} onClick={(event) => event.stopPropagation()}>
      {name}
    </a>
  );
}
