/** What pointer and wheel do on a plot: draw a shape that selects, pan, zoom, point at a movie. */
import type { MarkMode } from "../../state/selection";
import { Fingers } from "./fingers";
import type { Tool } from "./plot_state";

/** A place in px from the plot's upper left corner. */
export type Place = readonly [x: number, y: number];

export interface GestureHandlers {
  tool(): Tool;
  /** A shape was drawn: the two opposite corners of a box or range, or all corners of a lasso. */
  onShape(tool: Exclude<Tool, "pan">, corners: readonly Place[], mode: MarkMode): void;
  onClick(place: Place, mode: MarkMode): void;
  /** Moved by so many px since the last call. */
  onPan(dx: number, dy: number): void;
  /** Zoom about a place; `factor` below 1 shows less. */
  onZoom(place: Place, factor: number, axis: "x" | "y"): void;
  onReset(): void;
  /** The pointer is here, or has left. */
  onHover(place: Place | null): void;
}

const CLICK_PX = 4;
const ZOOM_PER_PX = 0.002;
const SVG = "http://www.w3.org/2000/svg";

/** Whether a shape replaces what is marked, adds to it (Shift) or takes away from it (Alt). */
export function modeOf(event: Pick<MouseEvent, "shiftKey" | "ctrlKey" | "metaKey" | "altKey">): MarkMode {
  if (event.altKey) return "remove";
  if (event.ctrlKey || event.metaKey) return "toggle";
  return event.shiftKey ? "add" : "replace";
}

/** Corners of what is drawn for a tool, within a field of this size. */
export function outline(tool: Tool, corners: readonly Place[], height: number): readonly Place[] {
  const [[x0, y0], [x1, y1]] = [corners[0]!, corners[corners.length - 1]!];
  if (tool === "lasso") return corners;
  const [top, bottom] = tool === "range" ? [0, height] : [y0, y1];
  return [
    [x0, top],
    [x1, top],
    [x1, bottom],
    [x0, bottom],
  ];
}

/** Listen on the field of a plot; returns what ends that. */
export function listenToGestures(field: HTMLElement, handlers: GestureHandlers): () => void {
  const shape = shapeOn(field);
  const ended = new AbortController();
  const { signal } = ended;
  const fingers = new Fingers();
  let corners: Place[] = [];
  let tool: Tool | null = null;

  const placeOf = (event: MouseEvent): Place => {
    const { left, top } = field.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const finish = () => {
    tool = null;
    corners = [];
    shape.setAttribute("points", "");
  };

  const down = (event: PointerEvent) => {
    if (event.button > 1) return;
    event.preventDefault();
    field.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") fingers.put(event.pointerId, placeOf(event));
    if (fingers.count > 1) return finish();
    tool = event.button === 1 ? "pan" : handlers.tool();
    corners = [placeOf(event)];
  };
  const move = (event: PointerEvent) => {
    const place = placeOf(event);
    const zoom = fingers.move(event.pointerId, place);
    if (zoom !== null) return handlers.onZoom(zoom.place, zoom.factor, "x");
    const last = corners[corners.length - 1];
    if (tool === null || last === undefined) return handlers.onHover(place);
    if (tool === "pan") handlers.onPan(place[0] - last[0], place[1] - last[1]);
    corners.push(place);
    if (tool !== "pan") shape.setAttribute("points", outline(tool, corners, field.clientHeight).join(" "));
  };
  const up = (event: PointerEvent) => {
    fingers.lift(event.pointerId);
    if (tool === null) return;
    const [used, drawn, end] = [tool, corners, placeOf(event)];
    finish();
    const far = drawn.some(([x, y]) => Math.hypot(x - drawn[0]![0], y - drawn[0]![1]) > CLICK_PX);
    if (!far) handlers.onClick(end, modeOf(event));
    else if (used !== "pan") handlers.onShape(used, used === "lasso" ? drawn : [drawn[0]!, end], modeOf(event));
  };
  const cancel = (event: PointerEvent) => {
    fingers.lift(event.pointerId);
    finish();
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const turned = (event.deltaY || event.deltaX) * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    handlers.onZoom(placeOf(event), Math.exp(turned * ZOOM_PER_PX), event.shiftKey ? "y" : "x");
  };

  field.addEventListener("pointerdown", down, { signal });
  field.addEventListener("pointermove", move, { signal });
  field.addEventListener("pointerup", up, { signal });
  field.addEventListener("pointercancel", cancel, { signal });
  field.addEventListener("pointerleave", () => handlers.onHover(null), { signal });
  field.addEventListener("wheel", wheel, { signal, passive: false });
  field.addEventListener("dblclick", () => handlers.onReset(), { signal });
  return () => ended.abort();
}

function shapeOn(field: HTMLElement): SVGPolygonElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "plot-shape");
  svg.setAttribute("aria-hidden", "true");
  const polygon = document.createElementNS(SVG, "polygon");
  svg.append(polygon);
  field.append(svg);
  return polygon;
}
