/** The CTF in one dimension: the spectrum along the rings, its fit, and the quality of the fit. */
import { useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Curves } from "../../api/documents";
import { formatNumber, withUnit } from "../../parts/format";
import { themeVersion } from "../../state/preferences";
import { usualRange } from "./curve";
import { ringsUpTo } from "./rings";

/** Height of the plot in letters. */
const HEIGHT_EM = 14;
const LEAST_GAP_EM = 3;

export function CtfCurves({ curves }: { curves: Curves }) {
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = themeVersion.value;
  useLayoutEffect(() => {
    const box = element.current!;
    const width = Math.max(1, box.clientWidth);
    plot.current = new uPlot(
      { ...options(curves, getComputedStyle(box)), width, height: heightPx(box) },
      data(curves),
      box,
    );
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height: heightPx(box) }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [theme, curves]);
  return (
    <div
      class="ctf-curves"
      ref={element}
      role="img"
      aria-label={`CTF curves: the fit ends at ${withUnit(curves.summary.resolutionAngstrom, "Å", 2)}`}
    />
  );
}

/** In units of the background, so that rings are seen although the spectrum falls by orders of magnitude. */
function data(curves: Curves): uPlot.AlignedData {
  const { frequency, data, fit, quality } = curves;
  return [frequency, relative(data, curves), relative(fit, curves), quality];
}

function relative(values: readonly number[], { background }: Curves): number[] {
  return values.map((value, place) => value / background[place]!);
}

function heightPx(box: HTMLElement): number {
  return Math.round(HEIGHT_EM * Number.parseFloat(getComputedStyle(box).fontSize));
}

function options(curves: Curves, style: CSSStyleDeclaration): Omit<uPlot.Options, "width" | "height"> {
  const colour = (token: string) => style.getPropertyValue(token).trim();
  const letterPx = Number.parseFloat(style.fontSize);
  const font = `${0.9 * letterPx}px ${style.fontFamily}`;
  const axis = {
    font,
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 0.5 },
    ticks: { show: false },
  };
  const number = (_: uPlot, value: number | null) => formatNumber(value, 2);
  return {
    cursor: { drag: { x: true, y: false } },
    scales: {
      x: { time: false },
      y: { range: usualRange(relative(curves.fit, curves)) },
      quality: { range: [-0.2, 1.05] },
    },
    axes: [
      {
        ...axis,
        size: 2.2 * letterPx,
        splits: (plot, _axis, low, high) => spaced(low, high, (LEAST_GAP_EM * letterPx) / plot.over.clientWidth),
        values: (_, splits) => splits.map((k) => `${Number((1 / k).toPrecision(2))} Å`),
      },
      { ...axis, label: "in units of background", labelSize: 1.5 * letterPx, size: 3.4 * letterPx, labelFont: font },
      { ...axis, scale: "quality", side: 1, grid: { show: false }, size: 2.8 * letterPx },
    ],
    series: [
      { label: "at", value: (_, k) => (k ? `${formatNumber(1 / k, 2)} Å` : "–") },
      { label: "data", stroke: colour("--muted"), width: 1, value: number },
      { label: "fit", stroke: colour("--accent"), width: 1.5, value: number },
      { label: "quality", scale: "quality", stroke: colour("--warning"), width: 1.5, value: number },
    ],
    hooks: { draw: [(plot) => drawEnd(plot, curves.summary.resolutionAngstrom, colour("--warning"))] },
  };
}

/** Frequencies (1/Å) of round resolutions, no nearer to each other than `gap`, a part of the axis. */
function spaced(low: number, high: number, gap: number): number[] {
  const frequencies: number[] = [];
  for (const { resolutionAngstrom } of ringsUpTo(high)) {
    const frequency = 1 / resolutionAngstrom;
    if (frequency - (frequencies.at(-1) ?? low) > gap * (high - low)) frequencies.push(frequency);
  }
  return frequencies;
}

/** A line where the fit ends. */
function drawEnd(plot: uPlot, resolutionAngstrom: number | null, colour: string): void {
  if (resolutionAngstrom === null) return;
  const x = plot.valToPos(1 / resolutionAngstrom, "x", true);
  const { top, height } = plot.bbox;
  plot.ctx.save();
  plot.ctx.strokeStyle = colour;
  plot.ctx.setLineDash([5, 4]);
  plot.ctx.beginPath();
  plot.ctx.moveTo(x, top);
  plot.ctx.lineTo(x, top + height);
  plot.ctx.stroke();
  plot.ctx.restore();
}
