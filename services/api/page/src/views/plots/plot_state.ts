/** What the plots show: the choices that the URL names, the shared view along time, colours and marks as arrays by row. */
import { computed, signal } from "@preact/signals";
import type { ColumnInfo } from "../../api/types";
import { channelsOf, colourOf, MOST_COLOURS, wordToken } from "../../parts/colours";
import { isMeasured } from "../../state/filter_limits";
import { movies, moviesVersion } from "../../state/movies";
import { route, setQuery } from "../../state/route";
import { marked } from "../../state/selection";
import { columnInfos } from "../../state/session";
import { orderRange, steadyRange } from "./axis_steps";
import { extent, padded } from "./ranges";
import { type Points, packed } from "./raster";

export type TimeAxis = "order" | "acquired";
export type Tool = "box" | "lasso" | "range" | "pan";
export type Range = readonly [number, number];

export const timeAxis = computed<TimeAxis>(() => (route.value.query.get("x") === "acquired" ? "acquired" : "order"));
export const colourColumn = computed(() => route.value.query.get("colour") ?? "status");
/** On a touch screen a drag moves and scrolls until the operator chooses to mark. */
export const tool = signal<Tool>(matchMedia("(pointer: coarse)").matches ? "pan" : "box");

/** The movie under the pointer in any plot, -1 for none. */
export const hoveredRow = signal(-1);

/** Columns that can be plotted: measured numbers. */
export const numberColumns = computed(() => columnInfos.value.filter(isMeasured));

/** Columns whose words can give points their colour. */
export const wordColumns = computed(() => columnInfos.value.filter(({ kind }) => kind === "word"));

/** The plotted columns: those that the URL names, else the main ones and those with limits. */
export const plottedColumns = computed<readonly ColumnInfo[]>(() => {
  const named = route.value.query.get("columns")?.split(",");
  return numberColumns.value.filter(({ name, main, limits }) => named?.includes(name) ?? (main || limits.length > 0));
});

/** The two columns that are plotted against each other. */
export const againstColumns = computed<readonly [string, string]>(() => {
  const [x, y] = route.value.query.get("against")?.split(",") ?? [];
  const names = numberColumns.value.map(({ name }) => name);
  const known = (name: string | undefined, other: string) =>
    name && names.includes(name) ? name : names.includes(other) ? other : (names[0] ?? "");
  return [known(x, "ctf.defocusUm"), known(y, "ctf.resolutionAngstrom")];
});

const order = { values: new Float64Array(0) };

/** The values of a time axis: the place of a movie in order of discovery from 1, or the time of its file, s. */
function timeValues(axis: TimeAxis): Float64Array | undefined {
  if (axis === "acquired") return movies.numbers("acquired");
  if (order.values.length < movies.count) {
    order.values = Float64Array.from({ length: movies.count * 2 }, (_, row) => row + 1);
  }
  return order.values.subarray(0, movies.count);
}

/** The values of an axis: a time axis or a column; undefined while they are not loaded. */
export function axisValues(axis: string): Float64Array | undefined {
  return axis === "order" || axis === "acquired" ? timeValues(axis) : movies.numbers(axis);
}

const acquiredAscends = computed(() => {
  moviesVersion.value;
  const times = movies.numbers("acquired");
  if (times === undefined) return false;
  for (let row = 0; row < times.length; row++) if (!(times[row]! >= (times[row - 1] ?? -Infinity))) return false;
  return true;
});

/** The points of two axes, null while their values are not loaded. */
export function pointsOf(xAxis: string, yAxis: string): Points | null {
  const [x, y] = [axisValues(xAxis), axisValues(yAxis)];
  if (x === undefined || y === undefined) return null;
  return { x, y, ascending: xAxis === "order" || (xAxis === "acquired" && acquiredAscends.value) };
}

let steady: { axis: TimeAxis; range: Range } | null = null;

/** The whole range of the time axis. */
export const wholeTime = computed<Range>(() => {
  moviesVersion.value;
  const axis = timeAxis.value;
  const acquired = movies.numbers("acquired");
  const wanted = axis === "order" ? orderRange(movies.count) : padded(extent(acquired ?? new Float64Array()), 0.03);
  const range = steadyRange(steady?.axis === axis ? steady.range : null, wanted);
  steady = { axis, range };
  return range;
});

const URL_PAUSE_MS = 400;
let urlTimer = 0;

/** The part of the time axis that all plots show; null: the whole. */
export const timeView = signal<Range | null>(null);

/** Show a part of the time axis in all plots, and name it in the URL once it rests. */
export function showTime(range: Range | null): void {
  const whole = wholeTime.peek();
  timeView.value = range !== null && range[0] <= whole[0] && range[1] >= whole[1] ? null : range;
  clearTimeout(urlTimer);
  urlTimer = window.setTimeout(() => {
    const view = timeView.peek();
    if (route.peek().view === "plots")
      setQuery({ view: view === null ? null : view.map((one) => one.toPrecision(12)).join("~") });
  }, URL_PAUSE_MS);
}

/** The view that the URL names, null for the whole. */
export function timeViewOf(text: string | null): Range | null {
  const [low, high] = (text ?? "").split("~").map(Number);
  return low !== undefined && high !== undefined && low < high ? [low, high] : null;
}

export interface Colouring {
  codes: Int16Array | null;
  /** The words with a colour, by code, and the colours' tokens; a last one for all other points. */
  words: readonly string[];
  tokens: readonly string[];
  colours: Uint32Array;
  dimmed: Uint32Array;
}

const DIMMED_ALPHA = 70;

export const colouring = computed<Colouring>(() => {
  moviesVersion.value;
  const column = movies.columns.get(colourColumn.value);
  const words = column?.kind === "word" ? column.words.slice(0, MOST_COLOURS) : [];
  const tokens = [...words.map(wordToken), words.length > 0 ? "muted" : "accent"];
  const channels = tokens.map((token) => channelsOf(colourOf(token)));
  return {
    codes: column?.kind === "word" ? column.codes : null,
    words,
    tokens,
    colours: Uint32Array.from(channels, ([red, green, blue]) => packed(red, green, blue)),
    dimmed: Uint32Array.from(channels, ([red, green, blue]) => packed(red, green, blue, DIMMED_ALPHA)),
  };
});

/** 1 for each marked movie by row; null where none is marked. */
export const markedRows = computed<Uint8Array | null>(() => {
  moviesVersion.value;
  if (marked.value.size === 0) return null;
  const mask = new Uint8Array(movies.count);
  for (const id of marked.value) {
    const row = movies.row(id);
    if (row >= 0) mask[row] = 1;
  }
  return mask;
});

/** The ids of movies by row. */
export function idsOfRows(rows: Iterable<number>): number[] {
  return Array.from(rows, (row) => movies.number("id", row));
}
