/** One plot on the page: what it shows follows the state of all plots, what is drawn in it marks movies. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { colourOf } from "../../parts/colours";
import { rootFontPx } from "../../parts/format";
import { inNextFrame, notInNextFrame } from "../../parts/frames";
import { isMoment } from "../../parts/values";
import { limitsInForce } from "../../state/filter_limits";
import { currentId } from "../../state/movie_list";
import { movies, moviesVersion } from "../../state/movies";
import { type MarkMode, mark } from "../../state/selection";
import { columnByName } from "../../state/session";
import { steadyRange } from "./axis_steps";
import { type Corner, rowsInBox, rowsInLasso } from "./geometry";
import { type GestureHandlers, listenToGestures, type Place } from "./gestures";
import { histogram } from "./histogram";
import { drawHistogram } from "./histogram_canvas";
import {
  colouring,
  hoveredRow,
  idsOfRows,
  markedRows,
  pointsOf,
  type Range,
  showTime,
  type Tool,
  timeView,
  tool,
  wholeTime,
} from "./plot_state";
import { PointPlot } from "./point_plot";
import { areaOf, extent, moved, padded, usefulRange, zoomed } from "./ranges";
import { type Area, inSight, nearestPoint, type Points, pointSize } from "./raster";

const REACH_PX = 12;
/** The page's font on a common screen: on larger ones points are larger too. */
const USUAL_FONT_PX = 13;
const BIN_PX = 3;

/** What a chart plots: `x` is a time axis ("order", "acquired") or a column, `y` a column. */
export interface ChartAxes {
  x: string;
  y: string;
}

export interface ChartParts {
  plot: HTMLElement;
  /** Where the histogram is drawn, null for none. */
  histogram: HTMLCanvasElement | null;
}

export class Chart implements GestureHandlers {
  /** The range of y, and of x where that is no time axis; null: the one that shows nearly all values. */
  private readonly yView = signal<Range | null>(null);
  private readonly xView = signal<Range | null>(null);
  /** The shown area, and the place of the plot's field in the chart, CSS px. */
  readonly area: Signal<Area> = signal({ left: 0, right: 1, bottom: 0, top: 1 });
  readonly field = signal({ left: 0, top: 0, width: 0, height: 0 });

  private readonly point: PointPlot;
  private readonly ends: (() => void)[] = [];
  private readonly wholeX: ReadonlySignal<Range>;
  private readonly wholeY: ReadonlySignal<Range>;
  private visible = false;
  private readonly draw = () => this.drawNow();

  constructor(
    private readonly axes: ChartAxes,
    private readonly parts: ChartParts,
  ) {
    this.wholeX = this.isTime ? wholeTime : usefulRangeOf(axes.x);
    this.wholeY = usefulRangeOf(axes.y);
    const moments = { x: isMoment(columnByName.peek().get(axes.x)), y: isMoment(columnByName.peek().get(axes.y)) };
    const { clientWidth: width, clientHeight: height } = parts.plot;
    this.point = new PointPlot(parts.plot, { moments, linked: this.isTime, width, height });
    this.ends.push(
      listenToGestures(this.point.over, this),
      this.watch(),
      effect(() => this.follow()),
    );
  }

  private get isTime(): boolean {
    return this.axes.x === "order" || this.axes.x === "acquired";
  }

  tool(): Tool {
    return tool.peek();
  }

  destroy(): void {
    for (const end of this.ends) end();
    notInNextFrame(this.draw);
    this.point.destroy();
  }

  /** Watches size and visibility: what is out of sight is not drawn. */
  private watch(): () => void {
    const { plot } = this.parts;
    const size = new ResizeObserver(() => {
      this.point.resize(plot.clientWidth, plot.clientHeight);
      inNextFrame(this.draw);
    });
    const sight = new IntersectionObserver(([entry]) => {
      this.visible = entry?.isIntersecting ?? true;
      if (this.visible) inNextFrame(this.draw);
    });
    size.observe(plot);
    sight.observe(plot);
    return () => {
      size.disconnect();
      sight.disconnect();
    };
  }

  /** Reads all that the picture depends on, and draws it in the next frame. */
  private follow(): void {
    moviesVersion.value;
    colouring.value;
    markedRows.value;
    const x = (this.isTime ? timeView.value : this.xView.value) ?? this.wholeX.value;
    this.area.value = areaOf(x, this.yView.value ?? this.wholeY.value);
    inNextFrame(this.draw);
  }

  private drawNow(): void {
    if (!this.visible) return;
    const area = this.area.peek();
    const points = pointsOf(this.axes.x, this.axes.y);
    const { codes, colours, dimmed } = colouring.peek();
    const marked = markedRows.peek();
    const [first, end] = points ? inSight(points, area) : [0, 0];
    this.point.draw(area, points, {
      codes,
      colours,
      dimmed,
      marked,
      size: pointSize(end - first) * (rootFontPx() / USUAL_FONT_PX),
    });
    if (this.parts.histogram && points) this.drawHistogram(this.parts.histogram, points, area);
    this.placeField();
  }

  private drawHistogram(canvas: HTMLCanvasElement, points: Points, area: Area): void {
    const { codes, tokens } = colouring.peek();
    const { offsetTop: top, clientHeight: height } = this.point.over;
    const bins = Math.max(1, Math.floor(height / BIN_PX));
    const marked = markedRows.peek();
    const all = histogram(points, area, bins, codes, tokens.length);
    const some = marked && histogram(points, area, bins, codes, tokens.length, marked);
    drawHistogram(canvas, { top, height }, all, some, tokens.map(colourOf));
  }

  private placeField(): void {
    const { offsetLeft: left, offsetTop: top, clientWidth: width, clientHeight: height } = this.point.over;
    const before = this.field.peek();
    if (left !== before.left || top !== before.top || width !== before.width || height !== before.height)
      this.field.value = { left, top, width, height };
  }

  private valueAt([x, y]: Place): Corner {
    const { left, right, bottom, top } = this.area.peek();
    const { clientWidth, clientHeight } = this.point.over;
    return [left + (x / clientWidth) * (right - left), top - (y / clientHeight) * (top - bottom)];
  }

  onShape(used: "box" | "lasso" | "range", places: readonly Place[], mode: MarkMode): void {
    const area = this.area.peek();
    const points = pointsOf(this.axes.x, this.axes.y);
    if (points === null) return;
    const corners = places.map((place) => this.valueAt(place));
    const rows = used === "lasso" ? rowsInLasso(points, corners, area) : rowsInBox(points, boxOf(corners, used, area));
    mark(idsOfRows(rows), mode);
  }

  onClick(place: Place, mode: MarkMode): void {
    const row = this.rowAt(place);
    if (row >= 0) {
      const [id] = idsOfRows([row]) as [number];
      mark([id], mode);
      currentId.value = id;
    } else if (mode === "replace") mark([]);
  }

  onHover(place: Place | null): void {
    hoveredRow.value = place === null ? -1 : this.rowAt(place);
  }

  private rowAt([x, y]: Place): number {
    const points = pointsOf(this.axes.x, this.axes.y);
    const { clientWidth, clientHeight } = this.point.over;
    return points === null ? -1 : nearestPoint(points, this.area.peek(), clientWidth, clientHeight, { x, y }, REACH_PX);
  }

  onPan(dx: number, dy: number): void {
    const { left, right, bottom, top } = this.area.peek();
    const { clientWidth, clientHeight } = this.point.over;
    this.showX(moved([left, right], (-dx / clientWidth) * (right - left), this.farthestX()));
    if (this.yView.peek() !== null)
      this.yView.value = moved([bottom, top], (dy / clientHeight) * (top - bottom), wide(this.wholeY.peek()));
  }

  onZoom(place: Place, factor: number, axis: "x" | "y"): void {
    const { left, right, bottom, top } = this.area.peek();
    const [x, y] = this.valueAt(place);
    if (axis === "x") this.showX(zoomed([left, right], x, factor, this.farthestX()));
    else this.yView.value = zoomed([bottom, top], y, factor, wide(this.wholeY.peek()));
  }

  onReset(): void {
    this.yView.value = null;
    this.xView.value = null;
    if (this.isTime) showTime(null);
  }

  private farthestX(): Range {
    return this.isTime ? wholeTime.peek() : wide(this.wholeX.peek());
  }

  private showX(range: Range): void {
    if (this.isTime) showTime(range);
    else this.xView.value = range;
  }
}

/** The range of a column's values, with its limits in force where they are near. It stays while it can. */
function usefulRangeOf(column: string): ReadonlySignal<Range> {
  let steady: Range | null = null;
  return computed(() => {
    moviesVersion.value;
    const { low, high } = limitsInForce(column);
    const limits = [low, high].filter((one) => one !== null);
    const values = movies.numbers(column) ?? new Float64Array();
    // A margin in proportion to the values would show years where all moments are the same.
    const moments = isMoment(columnByName.value.get(column));
    steady = steadyRange(steady, moments ? padded(extent(values), 0.06) : usefulRange(values, limits));
    return steady;
  });
}

/** So far out a plot of values can be zoomed: a few lie far away from the rest. */
function wide([low, high]: Range): Range {
  return [low - 2 * (high - low), high + 2 * (high - low)];
}

/** The box between two corners. What reaches the upper or lower edge takes in all that is drawn there. */
function boxOf(corners: readonly Corner[], used: "box" | "range", area: Area): Area {
  const [[x0, y0], [x1, y1]] = [corners[0]!, corners[corners.length - 1]!];
  const [bottom, top] = [Math.min(y0, y1), Math.max(y0, y1)];
  return {
    left: Math.min(x0, x1),
    right: Math.max(x0, x1),
    bottom: used === "range" || bottom <= area.bottom ? -Infinity : bottom,
    top: used === "range" || top >= area.top ? Infinity : top,
  };
}
