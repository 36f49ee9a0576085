/** Which points a drawn shape takes in. Shapes are in values of the axes, so zooming does not matter. */
import { type Area, inSight, type Points } from "./raster";

/** Points inside the box, its edges included. An edge may be infinite. */
export function rowsInBox(points: Points, box: Area): Uint32Array {
  const { x, y } = points;
  const [first, end] = inSight(points, box);
  return rowsWhere(
    first,
    end,
    (row) => x[row]! >= box.left && x[row]! <= box.right && y[row]! >= box.bottom && y[row]! <= box.top,
  );
}

export type Corner = readonly [x: number, y: number];

/**
 * Points inside a closed line through `corners`, by the even-odd rule. Points above or below `area` count where the plot
 * draws them: at its edge.
 */
export function rowsInLasso(points: Points, corners: readonly Corner[], area: Area): Uint32Array {
  if (corners.length < 3) return new Uint32Array();
  const { x, y } = points;
  const xs = corners.map(([value]) => value);
  const box = { ...area, left: Math.min(...xs), right: Math.max(...xs) };
  const [first, end] = inSight(points, box);
  return rowsWhere(first, end, (row) => {
    if (!(x[row]! >= box.left && x[row]! <= box.right)) return false;
    return inside(corners, x[row]!, Math.min(Math.max(y[row]!, area.bottom), area.top));
  });
}

/** Whether a place is inside a closed line. */
export function inside(corners: readonly Corner[], x: number, y: number): boolean {
  let within = false;
  let [beforeX, beforeY] = corners[corners.length - 1]!;
  for (const [cornerX, cornerY] of corners) {
    if (cornerY > y !== beforeY > y && x < ((beforeX - cornerX) * (y - cornerY)) / (beforeY - cornerY) + cornerX)
      within = !within;
    [beforeX, beforeY] = [cornerX, cornerY];
  }
  return within;
}

function rowsWhere(first: number, end: number, fits: (row: number) => boolean): Uint32Array {
  const rows = new Uint32Array(Math.max(0, end - first));
  let count = 0;
  for (let row = first; row < end; row++) if (fits(row)) rows[count++] = row;
  return rows.slice(0, count);
}
