/** Zoom and pan of an image: which place of the image lies where on the screen.
 *
 * Places are in px of the image counted from its upper left edge: the centre of pixel 0 is at 0.5.
 */

export interface Size {
  width: number;
  height: number;
}

export interface Rectangle extends Size {
  x: number;
  y: number;
}

/** The place at the upper left of the screen, and px of the screen by px of the image. */
export interface View {
  x: number;
  y: number;
  zoom: number;
}

export interface Place {
  x: number;
  y: number;
}

const LARGEST_ZOOM = 16;

/** The whole image in the middle of the box. */
export function fitted(image: Size, box: Size): View {
  const zoom = smallestZoom(image, box);
  return inSight({ x: 0, y: 0, zoom }, image, box);
}

/** The zoom at which the whole image is seen. */
function smallestZoom(image: Size, box: Size): number {
  return Math.min(box.width / image.width, box.height / image.height);
}

/** Zoomed by `factor` about a place of the screen, which stays where it is. */
export function zoomed(view: View, factor: number, at: Place, image: Size, box: Size): View {
  const smallest = smallestZoom(image, box);
  const zoom = Math.min(Math.max(view.zoom * factor, smallest), Math.max(LARGEST_ZOOM, smallest));
  const fixed = toImage(view, at);
  return inSight({ x: fixed.x - at.x / zoom, y: fixed.y - at.y / zoom, zoom }, image, box);
}

/** Moved by so many px of the screen. */
export function panned(view: View, by: Place, image: Size, box: Size): View {
  return inSight({ ...view, x: view.x - by.x / view.zoom, y: view.y - by.y / view.zoom }, image, box);
}

/** The same middle and zoom in a box of another size. */
export function resized(view: View, image: Size, before: Size, box: Size): View {
  const middle = toImage(view, { x: before.width / 2, y: before.height / 2 });
  const zoom = Math.max(view.zoom, smallestZoom(image, box));
  return inSight({ x: middle.x - box.width / 2 / zoom, y: middle.y - box.height / 2 / zoom, zoom }, image, box);
}

export function toScreen(view: View, place: Place): Place {
  return { x: (place.x - view.x) * view.zoom, y: (place.y - view.y) * view.zoom };
}

export function toImage(view: View, at: Place): Place {
  return { x: view.x + at.x / view.zoom, y: view.y + at.y / view.zoom };
}

/** The part of the image that is seen. */
export function seen(view: View, image: Size, box: Size): Rectangle {
  const x = Math.max(0, view.x);
  const y = Math.max(0, view.y);
  return {
    x,
    y,
    width: Math.max(0, Math.min(image.width, view.x + box.width / view.zoom) - x),
    height: Math.max(0, Math.min(image.height, view.y + box.height / view.zoom) - y),
  };
}

/** No empty rim along an axis that the image fills, and the image in the middle of one that it does not. */
function inSight(view: View, image: Size, box: Size): View {
  return {
    x: alongAxis(view.x, image.width, box.width / view.zoom),
    y: alongAxis(view.y, image.height, box.height / view.zoom),
    zoom: view.zoom,
  };
}

function alongAxis(start: number, length: number, shown: number): number {
  return shown >= length ? (length - shown) / 2 : Math.min(Math.max(start, 0), length - shown);
}
