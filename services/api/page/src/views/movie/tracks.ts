/** Motion tracks as lines of a drawing. */
import type { Point, Tracks } from "../../api/documents";

export interface Bounds {
  x: number;
  y: number;
  width: number;
  height: number;
}

const LEAST_EXTENT_ANGSTROM = 1;

/** The square about a track with a rim, so that no line touches the edge; at least 1 Å wide. */
export function boundsOf(track: readonly Point[]): Bounds {
  const xs = track.map(([x]) => x);
  const ys = track.map(([, y]) => y);
  const left = Math.min(...xs);
  const top = Math.min(...ys);
  const width = Math.max(...xs) - left;
  const height = Math.max(...ys) - top;
  const side = 1.2 * Math.max(width, height, LEAST_EXTENT_ANGSTROM);
  return { x: left + (width - side) / 2, y: top + (height - side) / 2, width: side, height: side };
}

/** An SVG path through points. */
export function pathThrough(points: readonly Point[]): string {
  return points.map(([x, y], place) => `${place === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export interface LocalTracks {
  /** How many times larger than the field the movement is drawn. */
  magnification: number;
  /** Points in Å of the field, for each place; the first is the place itself. */
  lines: Point[][];
}

const PART_OF_A_CELL = 0.45;

/** How each place moves beside the whole, drawn at that place; magnified so that the longest line fills half a cell. */
export function localTracks({ track, local, fractions, widthAngstrom, heightAngstrom }: Tracks): LocalTracks {
  const places = fractions.flatMap((_, row) => fractions.map((_, column) => ({ row, column })));
  const beside = places.map(({ row, column }) =>
    local.map((frame, number): Point => {
      const [x, y] = frame[row]![column]!;
      return [x - track[number]![0], y - track[number]![1]];
    }),
  );
  const longest = Math.max(LEAST_EXTENT_ANGSTROM, ...beside.flat().map(([x, y]) => Math.hypot(x, y)));
  const cell = Math.min(widthAngstrom, heightAngstrom) / fractions.length;
  const magnification = (PART_OF_A_CELL * cell) / longest;
  const lines = places.map(({ row, column }, place) =>
    beside[place]!.map(
      ([x, y]): Point => [
        fractions[column]! * widthAngstrom + magnification * x,
        fractions[row]! * heightAngstrom + magnification * y,
      ],
    ),
  );
  return { magnification, lines };
}

/** The way along a track, Å: the sum of all its steps. */
export function pathLength(track: readonly Point[]): number {
  let length = 0;
  for (let i = 1; i < track.length; i++)
    length += Math.hypot(track[i]![0] - track[i - 1]![0], track[i]![1] - track[i - 1]![1]);
  return length;
}
