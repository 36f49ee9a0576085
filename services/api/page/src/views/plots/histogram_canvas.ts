/** A histogram beside a plot: bars lie along the plot's y axis, in the colours of the points. */
import type { Histogram } from "./histogram";

/**
 * Draws `all` into the canvas, which is laid beside the plot's field: `top` below the plot's upper edge and `height`
 * high, CSS px. Where some are marked, all others are fainter.
 */
export function drawHistogram(
  canvas: HTMLCanvasElement,
  { top, height }: { top: number; height: number },
  all: Histogram,
  marked: Histogram | null,
  colours: readonly string[],
): void {
  const ratio = devicePixelRatio;
  canvas.style.marginTop = `${top}px`;
  canvas.style.height = `${height}px`;
  const width = canvas.clientWidth;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d")!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.globalAlpha = marked ? 0.3 : 1;
  drawBars(context, width, height, all, all.highest, colours);
  context.globalAlpha = 1;
  if (marked) drawBars(context, width, height, marked, all.highest, colours);
}

function drawBars(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  { bins, codes, counts }: Histogram,
  highest: number,
  colours: readonly string[],
): void {
  if (highest === 0) return;
  const thick = height / bins;
  for (let code = 0; code < codes; code++) {
    context.fillStyle = colours[code]!;
    for (let bin = 0; bin < bins; bin++) {
      const count = counts[bin * codes + code]!;
      if (count === 0) continue;
      const below = sumOf(counts, bin * codes, code);
      const [from, to] = [below, below + count].map((sum) => (sum / highest) * width);
      context.fillRect(from!, height - (bin + 1) * thick, Math.max(to! - from!, 1), Math.max(thick - 0.5, 1));
    }
  }
}

function sumOf(counts: Uint32Array, first: number, length: number): number {
  let sum = 0;
  for (let place = first; place < first + length; place++) sum += counts[place]!;
  return sum;
}
