/** Rows of the table of squares, or of one square's holes. */
import type { Place, Square, Squares } from "../../api/types";

export const COLUMNS = ["movies", "good", "res. Å", "defocus µm", "off target µm", "ice", "early step Å", "particles"];

export interface PlaceRow {
  name: string;
  /** The square that a click shows; undefined for a hole. */
  square: string | undefined;
  place: Place;
}

/** All squares, or the holes of the one that is shown. */
export function placesOf({ squares }: Squares, shown: Square | undefined): PlaceRow[] {
  if (shown) return shown.holes.map((hole) => ({ name: hole.hole ?? "not known", square: undefined, place: hole }));
  return squares.map((one) => ({ name: one.square, square: one.square, place: one }));
}

/** The numbers of a place as text, by `COLUMNS`. */
export function cellsOf({ movies, goodShare, medians }: Place): string[] {
  const { resolutionAngstrom, defocusUm, offTargetUm, iceThickness, earlyStepAngstrom, particles } = medians;
  const numbers: [number | null, number][] = [
    [resolutionAngstrom, 1],
    [defocusUm, 2],
    [offTargetUm, 2],
    [iceThickness, 2],
    [earlyStepAngstrom, 2],
    [particles, 0],
  ];
  const good = goodShare === null ? "-" : `${Math.round(100 * goodShare)} %`;
  return [String(movies), good, ...numbers.map(([value, digits]) => (value === null ? "-" : value.toFixed(digits)))];
}
