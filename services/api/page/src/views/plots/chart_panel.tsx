/** A panel with one chart: its title, the value under the pointer, the plot, its histogram and its limits. */
import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ColumnInfo } from "../../api/types";
import { columnText, columnTitle, unitText } from "../../parts/values";
import { movies, moviesVersion } from "../../state/movies";
import { themeVersion, timeZone } from "../../state/preferences";
import { Chart } from "./chart";
import { LimitHandles } from "./limit_handles";
import { axisValues, hoveredRow, pointsOf } from "./plot_state";
import { type Area, hasPoint } from "./raster";

/** A chart on the element of `host`, made anew where its axes or the theme change. */
function useChart(x: string, y: string, beside: boolean) {
  const plot = useRef<HTMLDivElement>(null);
  const histogram = useRef<HTMLCanvasElement>(null);
  const [chart, setChart] = useState<Chart | null>(null);
  const look = `${themeVersion.value} ${timeZone.value}`;
  useEffect(() => {
    const made = new Chart({ x, y }, { plot: plot.current!, histogram: beside ? histogram.current : null });
    setChart(made);
    return () => {
      made.destroy();
      setChart(null);
    };
  }, [x, y, beside, look]);
  return { plot, histogram, chart };
}

export function ColumnPanel({ column, x }: { column: ColumnInfo; x: string }) {
  const { plot, histogram, chart } = useChart(x, column.name, true);
  return (
    <section class="panel chart" aria-label={`${columnTitle(column)} over time`} aria-busy={isLoading(x, column.name)}>
      <ChartTitle title={column.heading} columns={[column]} />
      <div class="chart-body">
        <div class="chart-plot" ref={plot} />
        <canvas class="chart-histogram" ref={histogram} />
        {chart && <ChartOverlay chart={chart} x={x} y={column} />}
      </div>
    </section>
  );
}

export function AgainstPanel({ x, y, children }: { x: ColumnInfo; y: ColumnInfo; children: ComponentChildren }) {
  const { plot, chart } = useChart(x.name, y.name, false);
  return (
    <section
      class="panel chart against"
      aria-label={`${columnTitle(y)} against ${columnTitle(x)}`}
      aria-busy={isLoading(x.name, y.name)}
    >
      <ChartTitle title="Two columns" columns={[y, x]}>
        {children}
      </ChartTitle>
      <div class="chart-body">
        <div class="chart-plot" ref={plot} />
        {chart && <ChartOverlay chart={chart} x={x.name} y={y} across={x} />}
      </div>
    </section>
  );
}

/** Whether values of these axes are still to come. */
function isLoading(x: string, y: string): boolean {
  moviesVersion.value;
  return pointsOf(x, y) === null;
}

/** Title and unit; at its right the values of the movie under the pointer. */
function ChartTitle({
  title,
  columns,
  children,
}: {
  title: string;
  columns: readonly ColumnInfo[];
  children?: ComponentChildren;
}) {
  const row = hoveredRow.value;
  const [column] = columns;
  return (
    <header title={column && columns.length === 1 ? column.description : undefined}>
      <h2>
        {title} {columns.length === 1 && <small>{column && unitText(column)}</small>}
      </h2>
      {children}
      <output class="chart-value">
        {row >= 0 && columns.map((one) => columnText(movies.number(one.name, row), one)).join(", ")}
      </output>
    </header>
  );
}

function ChartOverlay({ chart, x, y, across }: { chart: Chart; x: string; y: ColumnInfo; across?: ColumnInfo }) {
  return (
    <>
      <NoPoint chart={chart} x={x} y={y.name} words={across ? "both values" : "this value"} />
      <Ring chart={chart} x={x} y={y.name} />
      <LimitHandles column={y} area={chart.area} field={chart.field} axis="y" />
      {across && <LimitHandles column={across} area={chart.area} field={chart.field} axis="x" />}
    </>
  );
}

/** What stands in a plot without any point; nothing while values are still being loaded. */
function NoPoint({ chart, x, y, words }: { chart: Chart; x: string; y: string; words: string }) {
  moviesVersion.value;
  const points = pointsOf(x, y);
  if (points === null || hasPoint(points)) return null;
  const { left, top, width, height } = chart.field.value;
  return (
    <p class="chart-empty" style={{ left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` }}>
      No movie has {words} yet.
    </p>
  );
}

/** A ring about the movie under the pointer, in each chart. */
function Ring({ chart, x, y }: { chart: Chart; x: string; y: string }) {
  const row = hoveredRow.value;
  if (row < 0) return null;
  const place = placeOf(chart.area, axisValues(x)?.[row], movies.number(y, row));
  const field = chart.field.value;
  if (place === null) return null;
  return (
    <i
      class="chart-ring"
      style={{ left: `${field.left + place[0] * field.width}px`, top: `${field.top + place[1] * field.height}px` }}
    />
  );
}

/** Where values stand in the field, as shares of its width and height; null where they are not in sight. */
function placeOf(area: ReadonlySignal<Area>, x: number | undefined, y: number): [number, number] | null {
  const { left, right, bottom, top } = area.value;
  if (x === undefined || !(x >= left && x <= right) || Number.isNaN(y)) return null;
  return [(x - left) / (right - left), Math.min(Math.max((top - y) / (top - bottom), 0), 1)];
}
