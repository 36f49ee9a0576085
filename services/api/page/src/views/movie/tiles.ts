/** Which tiles of the average are fetched for a view, so that it is seen at full resolution and nothing more is sent. */
import { type Rectangle, type Size, seen, type View } from "./view_transform";

/** A picture of the part `crop` of the average, of which `shown` is drawn; both in px of the average. */
export interface Tile {
  /** px of the picture by px of the average: 1, 1/2, 1/4 … */
  scale: number;
  crop: Rectangle;
  shown: Rectangle;
}

/** Length of a tile's sides, px of the picture. */
export const TILE_PX = 512;

/** What a smoothed tile has beside the part that is shown, px of the picture: at an edge it is smoothed otherwise. */
const OVERLAP_PX = 32;

/** The coarsest scale that gives each px of the screen one of its own; `density` is px of the device by px of CSS. */
export function scaleFor(zoom: number, density: number): number {
  let scale = 1;
  while (scale / 2 >= zoom * density) scale /= 2;
  return scale;
}

/** The whole image as one tile: what is drawn below all others until they are there. */
export function overview(image: Size): Tile {
  let scale = 1;
  while (Math.max(image.width, image.height) * scale > TILE_PX) scale /= 2;
  const all = { x: 0, y: 0, ...image };
  return { scale, crop: all, shown: all };
}

/** The tiles that a view needs, those in its middle first. */
export function tilesFor(view: View, image: Size, box: Size, density: number, smoothed = false): Tile[] {
  const coarsest = overview(image);
  const scale = scaleFor(view.zoom, density);
  if (scale <= coarsest.scale) return [coarsest];
  const side = TILE_PX / scale;
  const part = seen(view, image, box);
  const tiles: Tile[] = [];
  for (let y = Math.floor(part.y / side) * side; y < part.y + part.height; y += side) {
    for (let x = Math.floor(part.x / side) * side; x < part.x + part.width; x += side) {
      const shown = within({ x, y, width: side, height: side }, image);
      const crop = smoothed ? within(wider(shown, OVERLAP_PX / scale), image) : shown;
      tiles.push({ scale, crop, shown });
    }
  }
  const far = ({ shown }: Tile) =>
    Math.hypot(
      shown.x + shown.width / 2 - part.x - part.width / 2,
      shown.y + shown.height / 2 - part.y - part.height / 2,
    );
  return tiles.sort((a, b) => far(a) - far(b));
}

function wider({ x, y, width, height }: Rectangle, by: number): Rectangle {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

function within({ x, y, width, height }: Rectangle, image: Size): Rectangle {
  const left = Math.max(0, x);
  const top = Math.max(0, y);
  return {
    x: left,
    y: top,
    width: Math.min(image.width, x + width) - left,
    height: Math.min(image.height, y + height) - top,
  };
}
