/** The average with zoom and pan at full resolution; picks, junk and ruler lie over it. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Point } from "../../api/documents";
import { pictureUrl } from "../../parts/picture";
import { onEvent } from "../../state/sync";
import { begin, drawOver, drawPicks, drawRuler, drawScaleBar, drawTile, type PickMarks } from "./average_drawing";
import { usePointer, useWheel } from "./pointer";
import { distanceAngstrom, scaleBar } from "./ruler";
import { type Contrast, TileCache } from "./tile_cache";
import { overview, tilesFor } from "./tiles";
import { fitted, type Place, panned, resized, type Size, toImage, type View, zoomed } from "./view_transform";

const STEP_FACTOR = 1.5;
const PAN_STEP_PX = 80;

export type Tool = "move" | "pick" | "ruler";

export interface AverageViewerProps {
  name: string;
  generation: number | undefined;
  image: Size;
  pixelSizeAngstrom: number;
  contrast: Contrast;
  tool: Tool;
  /** Marks to draw; null: none. */
  marks: PickMarks | null;
  withJunk: boolean;
  onPick: (at: Point) => void;
}

export function AverageViewer(props: AverageViewerProps) {
  const { name, generation, image, pixelSizeAngstrom, contrast, tool, marks, withJunk } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [box, setBox] = useState<Size>({ width: 0, height: 0 });
  const [view, setView] = useState<View | null>(null);
  const [ruler, setRuler] = useState<{ from: Place; to: Place } | null>(null);
  const [arrivals, setArrivals] = useState(0);
  const arrived = () => setArrivals((before) => before + 1);
  const tiles = useTiles(name, generation, arrived);
  const junk = useJunk(name, generation, withJunk, arrived);

  useLayoutEffect(() => {
    const element = canvas.current!.parentElement!;
    const observer = new ResizeObserver(() => {
      const next = { width: element.clientWidth, height: element.clientHeight };
      setBox((before) => {
        setView((old) => (old === null || before.width === 0 ? old : resized(old, image, before, next)));
        return next;
      });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [image.width, image.height]);
  const shown = view ?? fitted(image, box);
  useEffect(() => {
    if (box.width === 0 || tiles === null) return;
    const frame = requestAnimationFrame(() => {
      if (canvas.current === null) return; // The movie was left meanwhile.
      const density = window.devicePixelRatio;
      const wanted = [overview(image), ...tilesFor(shown, image, box, density, contrast.lowpassAngstrom > 0)];
      const pictures = wanted.map((tile) => tiles.picture(tile, contrast));
      tiles.settle(wanted, contrast);
      if (tiles.pending(wanted[0]!, contrast)) return; // What is drawn stays until there is something to draw.
      const on = begin(canvas.current, box, density, shown);
      for (const [place, picture] of pictures.entries()) if (picture !== null) drawTile(on, wanted[place]!, picture);
      if (junk !== null) drawOver(on, junk, image);
      if (marks !== null) drawPicks(on, marks);
      if (ruler !== null)
        drawRuler(on, ruler.from, ruler.to, distanceAngstrom(ruler.from, ruler.to, pixelSizeAngstrom));
      drawScaleBar(on, scaleBar(pixelSizeAngstrom / shown.zoom, box.width / 4), box);
    });
    return () => cancelAnimationFrame(frame);
  });

  const zoomBy = (factor: number, at: Place = { x: box.width / 2, y: box.height / 2 }) =>
    setView(zoomed(shown, factor, at, image, box));
  const onZoom = (factor: number, at: Place) => setView((old) => zoomed(old ?? shown, factor, at, image, box));
  const drag = usePointer({
    measures: tool === "ruler",
    onZoom,
    onPan: (by) => setView((old) => panned(old ?? shown, by, image, box)),
    onMeasure: (from, to) => setRuler({ from: toImage(shown, from), to: toImage(shown, to) }),
    onClick: (on) => {
      const at = toImage(shown, on);
      if (tool === "ruler") setRuler(null);
      if (tool === "pick" && at.x >= 0 && at.y >= 0 && at.x < image.width && at.y < image.height)
        props.onPick([at.x - 0.5, at.y - 0.5]);
    },
  });
  useWheel(canvas, onZoom);
  const onKeyDown = (event: KeyboardEvent) => {
    const by = ARROWS[event.key];
    if (by !== undefined) setView(panned(shown, by, image, box));
    else if (event.key === "+" || event.key === "=") zoomBy(STEP_FACTOR);
    else if (event.key === "-") zoomBy(1 / STEP_FACTOR);
    else if (event.key === "0") setView(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class={`viewer ${tool}`}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={`Average of ${name}. Arrow keys move it, + and - zoom, 0 shows all.`}
        data-zoom={shown.zoom.toFixed(3)}
        data-drawn={arrivals}
        onKeyDown={onKeyDown}
        {...drag}
      />
      <div class="viewer-zoom" role="group" aria-label="Zoom">
        <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoomBy(STEP_FACTOR)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" title="Zoom out (-)" onClick={() => zoomBy(1 / STEP_FACTOR)}>
          −
        </button>
        <button type="button" title="Show all (0)" onClick={() => setView(null)}>
          all
        </button>
        <button
          type="button"
          title="A pixel of the average is one of the screen"
          onClick={() => zoomBy(1 / shown.zoom)}
        >
          1:1
        </button>
      </div>
    </div>
  );
}

const ARROWS: Record<string, Place | undefined> = {
  ArrowLeft: { x: PAN_STEP_PX, y: 0 },
  ArrowRight: { x: -PAN_STEP_PX, y: 0 },
  ArrowUp: { x: 0, y: PAN_STEP_PX },
  ArrowDown: { x: 0, y: -PAN_STEP_PX },
};

function useTiles(name: string, generation: number | undefined, onArrival: () => void): TileCache | null {
  const [tiles, setTiles] = useState<TileCache | null>(null);
  useEffect(() => {
    const cache = new TileCache(name, generation, onArrival);
    setTiles(cache);
    const stop = onEvent((topic) => {
      if (topic !== "hello") return;
      cache.forgetFailed();
      onArrival();
    });
    return () => {
      stop();
      cache.close();
    };
  }, [name, generation]);
  return tiles;
}

function useJunk(
  name: string,
  generation: number | undefined,
  wanted: boolean,
  onArrival: () => void,
): HTMLImageElement | null {
  const [junk, setJunk] = useState<HTMLImageElement | null>(null);
  useEffect(() => {
    setJunk(null);
    if (!wanted) return;
    const picture = new Image();
    picture.onload = () => {
      setJunk(picture);
      onArrival();
    };
    picture.src = pictureUrl(name, "junk", generation);
    return () => {
      picture.onload = null;
    };
  }, [name, generation, wanted]);
  return junk;
}
