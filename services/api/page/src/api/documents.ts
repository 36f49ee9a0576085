/** A movie's curves, tracks, picks, files and log as the API answers them; docs/rest.md describes each. */

/** A place (x, y). */
export type Point = readonly [x: number, y: number];

export interface CtfFit {
  defocusUAngstrom: number;
  defocusVAngstrom: number;
  angleDegrees: number;
  phaseShiftDegrees: number;
  figureOfMerit: number;
  resolutionAngstrom: number | null;
  failure: string | null;
  warnings: string[];
}

/** The CTF along `frequency` (1/Å). */
export interface Curves {
  frequency: number[];
  data: number[];
  background: number[];
  fit: number[];
  model: number[];
  quality: number[];
  summary: CtfFit;
}

/** Motion in Å, frame 0 at 0: `track` at the centre, `local` by frame, row and column, which lie at `fractions`. */
export interface Tracks {
  frames: number;
  dosePerFrame: number;
  widthAngstrom: number;
  heightAngstrom: number;
  fractions: number[];
  track: Point[];
  local: Point[][][];
  skipped: boolean;
  failure: string | null;
}

/** Scored candidates, best first, in px of the average, and a person's edits of them. */
export interface Picks {
  width: number;
  height: number;
  pixelSizeAngstrom: number;
  diameterAngstrom: number | null;
  threshold: number;
  certainty: number | null;
  /** They are no better than chance, by their certainty. */
  uncertain: boolean;
  method: string;
  count: number;
  xPx: number[];
  yPx: number[];
  score: number[];
  histogram: number[];
  hand: { added: Point[]; removed: Point[]; withinPx: number | null };
}

/** The edits that hold, and how many times undo brings those before back. */
export interface HandAnswer {
  hand: Picks["hand"];
  former: number;
}

export interface MoviePicture {
  kind: "thumbnail" | "average" | "spectrum" | "motion" | "picks" | "junk";
  url: string;
  width: number;
  height: number;
}

export interface MovieFile {
  path: string;
  bytes: number;
  step: string;
  description: string;
  url: string;
}

export interface PictureIndex {
  generation: number;
  pictures: MoviePicture[];
  files: MovieFile[];
}

/** A line of a movie's log: of its story, which `worker`, `lease` and `step` belong to (empty or 0: none), or a worker's. */
export interface LogLine {
  at: string | null;
  source: string;
  level: string;
  text: string;
  worker: string;
  lease: number;
  step: string;
}
