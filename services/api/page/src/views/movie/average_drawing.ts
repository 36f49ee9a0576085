/** Draws the average with what lies over it on a canvas. */
import type { Picks, Point } from "../../api/documents";
import type { HandEdits } from "./hand_edits";
import { particleRadiusPx, scoreColour } from "./picks_model";
import { lengthText, type ScaleBar } from "./ruler";
import type { Tile } from "./tiles";
import { type Place, type Size, toScreen, type View } from "./view_transform";

const ADDED = "#56d0f5";
const REMOVED = "#ff7b7b";
const RULER = "#ffd166";
const SMOOTH_UP_TO = 3;
const LEAST_RADIUS_PX = 3;

export interface Canvas {
  context: CanvasRenderingContext2D;
  view: View;
  /** Height of the page's letters, px of CSS: it grows with the screen, and lines with it. */
  letterPx: number;
}

/** A new frame of `size` px of CSS on a canvas that has `density` px for each of them. */
export function begin(canvas: HTMLCanvasElement, size: Size, density: number, view: View): Canvas {
  const [width, height] = [Math.round(size.width * density), Math.round(size.height * density)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d")!;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  context.imageSmoothingEnabled = view.zoom < SMOOTH_UP_TO;
  const { fontSize, fontFamily } = getComputedStyle(canvas);
  context.font = `${fontSize} ${fontFamily}`;
  return { context, view, letterPx: Number.parseFloat(fontSize) };
}

/** The part of the tile that is shown, at its place. */
export function drawTile({ context, view }: Canvas, { scale, crop, shown }: Tile, picture: HTMLImageElement): void {
  const at = toScreen(view, shown);
  const source = [(shown.x - crop.x) * scale, (shown.y - crop.y) * scale, shown.width * scale, shown.height * scale];
  const [x, y, width, height] = source as [number, number, number, number];
  context.drawImage(picture, x, y, width, height, at.x, at.y, shown.width * view.zoom, shown.height * view.zoom);
}

/** A picture of the whole field, of any size. */
export function drawOver({ context, view }: Canvas, picture: HTMLImageElement, image: Size): void {
  const at = toScreen(view, { x: 0, y: 0 });
  context.drawImage(picture, at.x, at.y, image.width * view.zoom, image.height * view.zoom);
}

export interface PickMarks {
  picks: Picks;
  out: Uint8Array;
  threshold: number;
  hand: HandEdits;
  /** Candidates below the threshold are shown as dots. */
  withCandidates: boolean;
}

/** Picks as circles of the particle's size, coloured by score; a person's marks have shapes of their own. */
export function drawPicks(canvas: Canvas, { picks, out, threshold, hand, withCandidates }: PickMarks): void {
  const { context, view, letterPx } = canvas;
  const radius = Math.max(LEAST_RADIUS_PX, particleRadiusPx(picks) * view.zoom);
  context.lineWidth = letterPx / 9;
  for (let i = picks.score.length - 1; i >= 0; i--) {
    if (out[i]) continue;
    const kept = picks.score[i]! >= threshold;
    if (!kept && !withCandidates) continue;
    context.strokeStyle = scoreColour(picks.score[i]!);
    circle(canvas, [picks.xPx[i]!, picks.yPx[i]!], kept ? radius : LEAST_RADIUS_PX);
  }
  context.lineWidth = letterPx / 6;
  context.strokeStyle = ADDED;
  for (const point of hand.added) {
    circle(canvas, point, radius);
    cross(canvas, point, letterPx / 3, "upright");
  }
  context.strokeStyle = REMOVED;
  for (const point of hand.removed) cross(canvas, point, Math.max(letterPx / 2.5, radius * 0.4), "slanted");
}

/** Where the centre of a pick lies on the screen. */
function centre(view: View, [x, y]: Point): Place {
  return toScreen(view, { x: x + 0.5, y: y + 0.5 });
}

function circle({ context, view }: Canvas, point: Point, radius: number): void {
  const { x, y } = centre(view, point);
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function cross({ context, view }: Canvas, point: Point, arm: number, form: "upright" | "slanted"): void {
  const { x, y } = centre(view, point);
  const slant = form === "slanted" ? arm : 0;
  context.beginPath();
  context.moveTo(x - arm, y - slant);
  context.lineTo(x + arm, y + slant);
  context.moveTo(x + slant, y - arm);
  context.lineTo(x - slant, y + arm);
  context.stroke();
}

/** The scale bar at the lower left. */
export function drawScaleBar({ context, letterPx }: Canvas, bar: ScaleBar, size: Size): void {
  const rim = letterPx;
  const [left, bottom] = [rim, size.height - rim];
  context.fillStyle = "rgb(0 0 0 / 55%)";
  context.fillRect(left - rim / 2, bottom - 2 * rim, bar.lengthPx + rim, 2.5 * rim);
  context.fillStyle = "#fff";
  context.fillRect(left, bottom - rim / 3, bar.lengthPx, rim / 3);
  label(context, bar.text, left + bar.lengthPx / 2, bottom - 1.1 * rim);
}

/** The ruler from place to place, with its length. */
export function drawRuler({ context, view, letterPx }: Canvas, from: Place, to: Place, angstrom: number): void {
  const [a, b] = [toScreen(view, from), toScreen(view, to)];
  context.strokeStyle = RULER;
  context.lineWidth = letterPx / 6;
  context.beginPath();
  context.moveTo(a.x, a.y);
  context.lineTo(b.x, b.y);
  context.stroke();
  const text = lengthText(angstrom);
  const width = context.measureText(text).width + letterPx;
  const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2 - 1.3 * letterPx];
  context.fillStyle = "rgb(0 0 0 / 65%)";
  context.fillRect(x - width / 2, y - 0.8 * letterPx, width, 1.6 * letterPx);
  context.fillStyle = RULER;
  label(context, text, x, y);
}

function label(context: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y);
}
