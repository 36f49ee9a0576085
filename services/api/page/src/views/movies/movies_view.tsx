/** Many movies as a gallery or a table of one selection: sorted and filtered by any column, walked by keys. */
import { computed } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { ColumnInfo } from "../../api/types";
import { ColumnChooser } from "../../parts/column_chooser";
import { Button, Segments, Select, Toolbar } from "../../parts/controls";
import { counted, formatCount } from "../../parts/format";
import { useKeys } from "../../parts/keys";
import { columnChoice } from "../../parts/values";
import { useMarksInUrl } from "../../state/marks_in_url";
import {
  chosenIds,
  currentId,
  idsBetween,
  listedRows,
  listFilters,
  listSort,
  onlyMarked,
  stepFrom,
} from "../../state/movie_list";
import { movies, moviesVersion } from "../../state/movies";
import { route, setQuery } from "../../state/route";
import { mark, markSeveral } from "../../state/selection";
import { columnInfos } from "../../state/session";
import { sortText } from "../../state/sorting";
import { wantColumns } from "../../state/wanted_columns";
import { FilterControls } from "./filter_controls";
import { Gallery } from "./gallery";
import { MovieActions, useActionKeys } from "./movie_actions";
import { MovieTable } from "./table";

type Shape = "gallery" | "table";

/** What stands below a thumbnail, with the column that the list is sorted by. */
const TILE_COLUMNS = ["ctf.defocusUm", "ctf.resolutionAngstrom", "picking.count"];
const NOT_SHOWN = ["id", "added", "generation"];

const shape = computed<Shape>(() => (route.value.query.get("show") === "table" ? "table" : "gallery"));
const possible = computed(() => columnInfos.value.filter(({ name }) => !NOT_SHOWN.includes(name)));

/** The table's columns: those that the URL names, else the main ones and the user's choice. */
const tableColumns = computed<readonly ColumnInfo[]>(() => {
  const named = route.value.query.get("columns")?.split(",");
  return possible.value.filter(({ name, main }) => named?.includes(name) ?? (main || name === "selection"));
});

const tileColumns = computed(() => {
  const known = new Set(possible.value.filter(({ kind }) => kind === "number").map(({ name }) => name));
  const sorted = listSort.value.map(({ column }) => column).filter((name) => !TILE_COLUMNS.includes(name));
  return [...TILE_COLUMNS, ...sorted].filter((name) => known.has(name) && name !== "acquired");
});

/** All columns that the view shows, sorts or filters by. */
const neededColumns = computed(() => {
  const names = new Set(possible.value.map(({ name }) => name));
  const shown = shape.value === "table" ? tableColumns.value.map(({ name }) => name) : tileColumns.value;
  const used = [...listSort.value, ...listFilters.value].map(({ column }) => column);
  return [...shown, ...used].filter((name) => names.has(name));
});

export function MoviesView() {
  const perRow = useRef(1);
  useMarksInUrl();
  useActionKeys(chosenIds);
  useListKeys(perRow);
  const needed = neededColumns.value;
  useEffect(() => wantColumns(needed), [needed]);
  return (
    <div class="movies">
      <ListToolbar />
      <div class="movies-list">
        {shape.value === "table" ? (
          <MovieTable columns={tableColumns.value} />
        ) : (
          <Gallery
            rows={listedRows.value}
            label="Movies"
            columns={tileColumns.value}
            onPerRow={(count) => {
              perRow.current = count;
            }}
          />
        )}
      </div>
    </div>
  );
}

function ListToolbar() {
  moviesVersion.value;
  const [first] = listSort.value;
  const sortColumn = first?.column ?? "added";
  const sort = (column: string, descending: boolean) => setQuery({ sort: sortText([{ column, descending }]) });
  return (
    <Toolbar label="Movies" end={<MovieActions chosen={chosenIds} />}>
      <Segments
        label="Shown as"
        value={shape.value}
        onChange={(value) => setQuery({ show: value })}
        choices={[
          { value: "gallery", text: "Gallery", title: "Thumbnails (g)" },
          { value: "table", text: "Table", title: "Values (g)" },
        ]}
      />
      <Select
        label="Sort by"
        value={sortColumn}
        onChange={(column) => sort(column, first?.descending ?? false)}
        choices={[{ value: "added", text: "discovery" }, ...possible.value.map(columnChoice)]}
      />
      <Button
        label={first?.descending ? "Sorted downwards" : "Sorted upwards"}
        title="Turn the order round"
        onClick={() => sort(sortColumn, !first?.descending)}
      >
        {first?.descending ? "▼" : "▲"}
      </Button>
      <Button
        pressed={markSeveral.value}
        title="Each click or tap adds a movie to the marked ones or takes it out, as with Ctrl"
        onClick={() => {
          markSeveral.value = !markSeveral.peek();
        }}
      >
        Mark several
      </Button>
      <Button
        pressed={onlyMarked.value}
        title="List marked movies alone (m)"
        onClick={() => setQuery({ only: onlyMarked.value ? null : "marked" })}
      >
        Marked only
      </Button>
      <FilterControls />
      {shape.value === "table" && (
        <ColumnChooser
          columns={possible.value}
          chosen={tableColumns.value}
          onChange={(names) => setQuery({ columns: names.join(",") })}
          onUsual={() => setQuery({ columns: null })}
        />
      )}
      <output class="list-count">
        {listedRows.value.length === movies.count
          ? counted(movies.count, "movie")
          : `${formatCount(listedRows.value.length)} of ${counted(movies.count, "movie")}`}
      </output>
    </Toolbar>
  );
}

/** Keys that walk the list and mark its movies. */
function useListKeys(perRow: { current: number }): void {
  const line = () => (shape.peek() === "table" ? 1 : perRow.current);
  const walk = (step: number) => {
    currentId.value = stepFrom(currentId.peek(), step);
  };
  const extend = (step: number) => {
    const from = currentId.peek();
    walk(step);
    mark(idsBetween(from, currentId.peek()), "add");
  };
  useKeys([
    { key: "ArrowRight", text: "Next movie", run: () => walk(1) },
    { key: "ArrowLeft", text: "Previous movie", run: () => walk(-1) },
    { key: "j", text: "Next movie", run: () => walk(1) },
    { key: "k", text: "Previous movie", run: () => walk(-1) },
    { key: "ArrowDown", text: "Movie below", run: () => walk(line()) },
    { key: "ArrowUp", text: "Movie above", run: () => walk(-line()) },
    { key: "Home", text: "First movie", run: () => walk(-Infinity) },
    { key: "End", text: "Last movie", run: () => walk(Infinity) },
    { key: "shift+ArrowRight", text: "Mark to the next movie", run: () => extend(1) },
    { key: "shift+ArrowLeft", text: "Mark to the previous movie", run: () => extend(-1) },
    { key: "shift+ArrowDown", text: "Mark to the movie below", run: () => extend(line()) },
    { key: "shift+ArrowUp", text: "Mark to the movie above", run: () => extend(-line()) },
    {
      key: " ",
      text: "Mark or unmark the movie",
      run: () => currentId.peek() >= 0 && mark([currentId.peek()], "toggle"),
    },
    { key: "ctrl+a", text: "Mark all listed movies", run: () => mark(allListed()) },
    {
      key: "g",
      text: "Gallery or table",
      run: () => setQuery({ show: shape.peek() === "table" ? "gallery" : "table" }),
    },
    { key: "m", text: "List marked movies alone", run: () => setQuery({ only: onlyMarked.peek() ? null : "marked" }) },
  ]);
}

function allListed(): number[] {
  return Array.from(listedRows.peek(), (row) => movies.number("id", row));
}
