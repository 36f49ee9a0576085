/** What pointers do on the average: drag moves it or draws the ruler, two fingers or the wheel zoom, a press picks. */
import { useEffect, useRef } from "preact/hooks";
import type { Place } from "./view_transform";

const CLICK_PX = 4;
const WHEEL_FACTOR = 1.0015;

export interface PointerActions {
  /** Whether a drag measures; with shift it moves the image all the same. */
  measures: boolean;
  onPan: (by: Place) => void;
  onZoom: (factor: number, at: Place) => void;
  onMeasure: (from: Place, to: Place) => void;
  onClick: (at: Place) => void;
}

interface Press {
  start: Place;
  measures: boolean;
  /** It was a drag or a pinch, so that its end is no click. */
  moved: boolean;
  /** Where each finger or the mouse was last, by its id. */
  last: Map<number, Place>;
}

/** Handlers of a canvas; places are px of the canvas. */
export function usePointer({ measures, onPan, onZoom, onMeasure, onClick }: PointerActions) {
  const press = useRef<Press | null>(null);
  const place = (event: PointerEvent): Place => ({ x: event.offsetX, y: event.offsetY });
  const end = (event: PointerEvent) => {
    press.current?.last.delete(event.pointerId);
    if (press.current?.last.size === 0) press.current = null;
  };
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      const at = place(event);
      press.current ??= { start: at, measures: measures && !event.shiftKey, moved: false, last: new Map() };
      press.current.last.set(event.pointerId, at);
      if (press.current.last.size > 1) press.current.moved = true;
    },
    onPointerMove: (event: PointerEvent) => {
      const now = press.current;
      const before = now?.last.get(event.pointerId);
      if (!now || before === undefined) return;
      const at = place(event);
      if (!now.moved && distance(at, now.start) < CLICK_PX) return;
      now.moved = true;
      const other = [...now.last].find(([id]) => id !== event.pointerId)?.[1];
      now.last.set(event.pointerId, at);
      if (other !== undefined) onZoom(distance(at, other) / Math.max(1, distance(before, other)), middle(at, other));
      else if (now.measures) onMeasure(now.start, at);
      else onPan({ x: at.x - before.x, y: at.y - before.y });
    },
    onPointerUp: (event: PointerEvent) => {
      if (press.current?.moved === false) onClick(place(event));
      end(event);
    },
    onPointerCancel: end,
  };
}

/** The wheel zooms. A listener of its own: only one that is not passive keeps the page from scrolling. */
export function useWheel(canvas: { current: HTMLElement | null }, onZoom: PointerActions["onZoom"]): void {
  const latest = useRef(onZoom);
  latest.current = onZoom;
  useEffect(() => {
    const element = canvas.current!;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      latest.current(WHEEL_FACTOR ** -event.deltaY, { x: event.offsetX, y: event.offsetY });
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);
}

function distance(a: Place, b: Place): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function middle(a: Place, b: Place): Place {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
