/** Every column over time with its histogram and limits, two columns against each other, and what is selected in them. */
import { useEffect } from "preact/hooks";
import type { ColumnInfo } from "../../api/types";
import { colourOf } from "../../parts/colours";
import { ColumnChooser } from "../../parts/column_chooser";
import { Button, Empty, Segments, Select, Toolbar } from "../../parts/controls";
import { useFresh } from "../../parts/fresh";
import { useKeys } from "../../parts/keys";
import { columnWords } from "../../parts/state_words";
import { columnChoice } from "../../parts/values";
import { limitedColumns } from "../../state/filter_limits";
import { useMarksInUrl } from "../../state/marks_in_url";
import { markedIds } from "../../state/movie_list";
import { movies, moviesVersion } from "../../state/movies";
import { route, setQuery } from "../../state/route";
import { columnByName, columnInfos } from "../../state/session";
import { loadSettings } from "../../state/settings";
import { wantColumns } from "../../state/wanted_columns";
import { useActionKeys } from "../movies/movie_actions";
import { AgainstPanel, ColumnPanel } from "./chart_panel";
import { PARTICLES } from "./filtering";
import { LimitsBar } from "./limits_bar";
import { MarkedPanel } from "./marked_panel";
import {
  againstColumns,
  colourColumn,
  colouring,
  hoveredRow,
  numberColumns,
  plottedColumns,
  type Range,
  showTime,
  type TimeAxis,
  type Tool,
  timeAxis,
  timeView,
  timeViewOf,
  tool,
  wholeTime,
  wordColumns,
} from "./plot_state";
import { moved, zoomed } from "./ranges";

const TOOLS: readonly { value: Tool; text: string; title: string }[] = [
  { value: "box", text: "Box", title: "Draw a box over points (b). Shift adds to what is marked, Alt takes away" },
  { value: "lasso", text: "Lasso", title: "Draw round points (l)" },
  { value: "range", text: "Range", title: "Mark a stretch of time (r)" },
  {
    value: "pan",
    text: "Move",
    title: "Move the view (h). The wheel or two fingers zoom, the wheel with Shift along the values",
  },
];

export function PlotsView() {
  useFresh(loadSettings, "settings.changed");
  useEffect(() => {
    timeView.value = timeViewOf(route.peek().query.get("view"));
  }, []);
  useMarksInUrl();
  useActionKeys(markedIds);
  usePlotKeys();
  const [x, y] = againstColumns.value;
  const plotted = plottedColumns.value;
  const limited = limitedColumns.value;
  useEffect(
    () => wantColumns([...plotted, ...limited].map(({ name }) => name).concat(wantedBeside(x, y))),
    [plotted, limited, x, y, colourColumn.value],
  );
  if (columnInfos.value.length === 0) return <Empty>Waiting for warpcore.</Empty>;
  return (
    <div class="plots" data-tool={tool.value}>
      <PlotsToolbar />
      <div class="plots-body">
        <div class="charts">
          {plotted.map((column) => (
            <ColumnPanel key={column.name} column={column} x={timeAxis.value} />
          ))}
          <TwoColumns x={columnByName.value.get(x)} y={columnByName.value.get(y)} />
        </div>
        <aside class="plots-marked">
          <MarkedPanel columns={[x, y]} />
        </aside>
      </div>
      <LimitsBar />
    </div>
  );
}

/** Known columns besides the plotted ones that the view needs. */
function wantedBeside(...names: string[]): string[] {
  return [...names, PARTICLES, colourColumn.value].filter((name) => columnByName.peek().has(name));
}

function PlotsToolbar() {
  moviesVersion.value;
  const row = hoveredRow.value;
  const name = row >= 0 ? movies.text("name", row) : "";
  return (
    <Toolbar label="Plots" end={<output class="hovered">{name || "Point at a movie"}</output>}>
      <Segments
        label="Along"
        value={timeAxis.value}
        onChange={(axis: TimeAxis) => {
          showTime(null);
          setQuery({ x: axis === "order" ? null : axis, view: null });
        }}
        choices={[
          { value: "order", text: "Order", title: "Order of discovery" },
          { value: "acquired", text: "Time", title: "Time of acquisition" },
        ]}
      />
      <Segments label="Pointer" value={tool.value} choices={TOOLS} onChange={chooseTool} />
      <Button label="Zoom in" title="Zoom in (+)" onClick={() => zoomTime(1 / ZOOM_STEP)}>
        +
      </Button>
      <Button label="Zoom out" title="Zoom out (-)" onClick={() => zoomTime(ZOOM_STEP)}>
        −
      </Button>
      <Button title="Show all of the time axis (0)" disabled={timeView.value === null} onClick={() => showTime(null)}>
        Whole
      </Button>
      <Select
        label="Colour"
        value={colourColumn.value}
        onChange={(column) => setQuery({ colour: column })}
        choices={wordColumns.value.map(columnChoice)}
      />
      <Legend />
      <ColumnChooser
        columns={numberColumns.value}
        chosen={plottedColumns.value}
        onChange={(names) => setQuery({ columns: names.join(",") })}
        onUsual={() => setQuery({ columns: null })}
      />
    </Toolbar>
  );
}

function Legend() {
  const { words, tokens, codes } = colouring.value;
  const used = usedCodes(codes, words.length);
  return (
    <ul class="legend" aria-label="Colours">
      {words.map(
        (word, code) =>
          used.has(code) && (
            <li key={word}>
              <i style={{ background: colourOf(tokens[code]!) }} />
              {columnWords(word, colourColumn.value)}
            </li>
          ),
      )}
    </ul>
  );
}

/** The codes that occur. */
function usedCodes(codes: Int16Array | null, most: number): Set<number> {
  const used = new Set<number>();
  for (let row = 0; codes !== null && row < movies.count && used.size < most; row++)
    if (codes[row]! >= 0 && codes[row]! < most) used.add(codes[row]!);
  return used;
}

function TwoColumns({ x, y }: { x: ColumnInfo | undefined; y: ColumnInfo | undefined }) {
  if (x === undefined || y === undefined) return null;
  const choices = numberColumns.value.map(columnChoice);
  return (
    <AgainstPanel x={x} y={y}>
      <Select
        label="Up"
        value={y.name}
        onChange={(name) => setQuery({ against: `${x.name},${name}` })}
        choices={choices}
      />
      <Select
        label="Across"
        value={x.name}
        onChange={(name) => setQuery({ against: `${name},${y.name}` })}
        choices={choices}
      />
    </AgainstPanel>
  );
}

function chooseTool(next: Tool): void {
  tool.value = next;
}

const ZOOM_STEP = 1.4;
const MOVE_SHARE = 0.2;

function shownTime(): Range {
  return timeView.peek() ?? wholeTime.peek();
}

/** Show `factor` times as much of the time axis. */
function zoomTime(factor: number): void {
  const [low, high] = shownTime();
  showTime(zoomed([low, high], (low + high) / 2, factor, wholeTime.peek()));
}

/** Move along the time axis by a share of what is shown. */
function moveTime(share: number): void {
  const [low, high] = shownTime();
  showTime(moved([low, high], share * (high - low), wholeTime.peek()));
}

/** Keys that zoom and move the time axis, and choose what the pointer does. */
function usePlotKeys(): void {
  useKeys([
    { key: "+", text: "Zoom in", run: () => zoomTime(1 / ZOOM_STEP) },
    { key: "-", text: "Zoom out", run: () => zoomTime(ZOOM_STEP) },
    { key: "0", text: "Show all of the time axis", run: () => showTime(null) },
    { key: "ArrowLeft", text: "Earlier movies", run: () => moveTime(-MOVE_SHARE) },
    { key: "ArrowRight", text: "Later movies", run: () => moveTime(MOVE_SHARE) },
    { key: "b", text: "Mark by a box", run: () => chooseTool("box") },
    { key: "l", text: "Mark by a lasso", run: () => chooseTool("lasso") },
    { key: "r", text: "Mark a stretch of time", run: () => chooseTool("range") },
    { key: "h", text: "Move the view by dragging", run: () => chooseTool("pan") },
  ]);
}
