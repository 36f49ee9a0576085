/** A plot of many points: uPlot draws axes, grid and the cursor, `raster.ts` the points on a canvas of their own. */
import uPlot from "uplot";
import { colourOf } from "../../parts/colours";
import { formatNumber, rootFontPx } from "../../parts/format";
import { timeZone } from "../../state/preferences";
import { decimalsOf } from "./axis_steps";
import { type Area, drawPoints, type Look, type Points } from "./raster";

/** Room for the axes' labels, in heights of their font. */
const NUMBERS_HIGH = 1.9;
/** Times stand above their days. */
const TIMES_HIGH = 3.1;
const NUMBERS_WIDE = 4.6;
const TIMES_WIDE = 5.6;
/** The axes' font, in that of the page. */
const FONT_SHARE = 0.85;
const CURSOR_GROUP = "time";

/** Formats of a time axis by step: as usual, with a new year, –, with a new day; uPlot's `values`. */
function timeTicks(newDay: string): uPlot.Axis.Values {
  return [
    [86_400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", newDay, null, newDay, null, null, null, 1],
    [0.001, "{HH}:{mm}:{ss}", newDay, null, newDay, null, null, null, 1],
  ];
}
const ACROSS_TICKS = timeTicks("\n{YYYY}-{MM}-{DD}");
/** Beside the plot is less room. */
const UP_TICKS = timeTicks("\n{MM}-{DD}");

export interface PlotOptions {
  /** Which axes hold moments, s since 1970. */
  moments: { x: boolean; y: boolean };
  /** Whether the cursor's line stands at the same x in all such plots. */
  linked: boolean;
  width: number;
  height: number;
}

function numberTicks(_: uPlot, values: number[]): string[] {
  const step = values.length > 1 ? Math.abs(values[1]! - values[0]!) : 1;
  return values.map((value) => formatNumber(value, decimalsOf(step)));
}

function axis(fontPx: number, changes: uPlot.Axis): uPlot.Axis {
  const line = { stroke: colourOf("line"), width: 1 };
  const font = `${fontPx}px ${getComputedStyle(document.body).fontFamily}`;
  return {
    stroke: colourOf("muted"),
    font,
    grid: line,
    ticks: { ...line, size: 4 },
    gap: 3,
    values: numberTicks,
    ...changes,
  };
}

function uplotOptions({ moments, linked, width, height }: PlotOptions, area: () => Area): uPlot.Options {
  const never = () => null;
  const fontPx = Math.round(rootFontPx() * FONT_SHARE);
  return {
    width,
    height,
    legend: { show: false },
    padding: [6, 2, 0, 0],
    scales: {
      x: { time: moments.x, auto: false, range: () => [area().left, area().right] },
      y: { time: moments.y, auto: false, range: () => [area().bottom, area().top] },
    },
    series: [{}, { paths: never, points: { show: false } }],
    axes: [
      axis(fontPx, {
        size: fontPx * (moments.x ? TIMES_HIGH : NUMBERS_HIGH),
        space: fontPx * 5.5,
        ...(moments.x ? { values: ACROSS_TICKS } : {}),
      }),
      axis(fontPx, {
        size: fontPx * (moments.y ? TIMES_WIDE : NUMBERS_WIDE),
        space: fontPx * 2.4,
        ...(moments.y ? { values: UP_TICKS } : {}),
      }),
    ],
    tzDate: (seconds) =>
      timeZone.peek() === "UTC" ? uPlot.tzDate(new Date(seconds * 1000), "UTC") : new Date(seconds * 1000),
    cursor: {
      points: { show: false },
      drag: { x: false, y: false, setScale: false },
      bind: { mousedown: never, mouseup: never, click: never, dblclick: never },
      ...(linked ? { sync: { key: CURSOR_GROUP } } : {}),
    },
  };
}

export class PointPlot {
  private readonly uplot: uPlot;
  private readonly canvas = document.createElement("canvas");
  private readonly context = this.canvas.getContext("2d")!;
  private image: ImageData | null = null;
  private area: Area = { left: 0, right: 1, bottom: 0, top: 1 };

  constructor(host: HTMLElement, options: PlotOptions) {
    this.uplot = new uPlot(
      uplotOptions(options, () => this.area),
      [
        [0, 1],
        [null, null],
      ],
      host,
    );
    this.canvas.className = "plot-points";
    this.over.prepend(this.canvas);
  }

  /** The element above the axes' field: its size is that of the points' picture, CSS px. */
  get over(): HTMLDivElement {
    return this.uplot.over;
  }

  resize(width: number, height: number): void {
    this.uplot.setSize({ width, height });
  }

  /** Draws the points of an area. `size` of the look is in CSS px. */
  draw(area: Area, points: Points | null, look: Look): void {
    this.scale(area);
    const { width, height } = this.picture();
    const pixels = new Uint32Array(this.image!.data.buffer);
    pixels.fill(0);
    if (points !== null) {
      const size = Math.max(1, Math.round(look.size * devicePixelRatio));
      drawPoints(pixels, width, height, points, area, { ...look, size });
    }
    this.context.putImageData(this.image!, 0, 0);
  }

  destroy(): void {
    this.uplot.destroy();
  }

  private scale(area: Area): void {
    const before = this.area;
    this.area = area;
    this.uplot.batch(() => {
      if (area.left !== before.left || area.right !== before.right)
        this.uplot.setScale("x", { min: area.left, max: area.right });
      if (area.bottom !== before.bottom || area.top !== before.top)
        this.uplot.setScale("y", { min: area.bottom, max: area.top });
    });
  }

  /** The picture at the plot's present size, px of the screen. */
  private picture(): { width: number; height: number } {
    const width = Math.max(1, Math.round(this.over.clientWidth * devicePixelRatio));
    const height = Math.max(1, Math.round(this.over.clientHeight * devicePixelRatio));
    if (this.image?.width !== width || this.image.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.image = this.context.createImageData(width, height);
    }
    return { width, height };
  }
}
