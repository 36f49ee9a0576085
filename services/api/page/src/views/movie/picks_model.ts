/** What a threshold keeps of a movie's scored candidates, and how scores look. */
import type { Picks } from "../../api/documents";
import { counted, formatCount } from "../../parts/format";
import type { HandEdits } from "./hand_edits";

/** Which candidates are no picks of their own, since a person has added or removed one there; 1 for those. */
export function overruled(picks: Picks, hand: HandEdits): Uint8Array {
  const flags = new Uint8Array(picks.score.length);
  const marks = [...hand.added, ...hand.removed];
  const nearPx = picks.hand.withinPx ?? 0;
  if (marks.length === 0) return flags;
  for (let i = 0; i < flags.length; i++) {
    const x = picks.xPx[i]!;
    const y = picks.yPx[i]!;
    if (marks.some(([markX, markY]) => Math.hypot(markX - x, markY - y) <= nearPx)) flags[i] = 1;
  }
  return flags;
}

const USUAL_DIAMETER_ANGSTROM = 100;

/** Radius of a particle, px of the average; a usual one where no diameter is known. */
export function particleRadiusPx({ diameterAngstrom, pixelSizeAngstrom }: Picks): number {
  return (diameterAngstrom ?? USUAL_DIAMETER_ANGSTROM) / 2 / pixelSizeAngstrom;
}

/** How many candidates are picks at a threshold: those of at least that score, without those marked in `out`. */
export function countAt(picks: Picks, out: Uint8Array, threshold: number): number {
  let count = 0;
  for (let i = 0; i < picks.score.length; i++) if (picks.score[i]! >= threshold && !out[i]) count++;
  return count;
}

/** What a threshold keeps, in words: "56 particles of 57 candidates and 1 by hand". */
export function keptText(kept: number, candidates: number, byHand: number): string {
  const ofPicker = `${counted(kept, "particle")} of ${counted(candidates, "candidate")}`;
  return byHand === 0 ? ofPicker : `${ofPicker} and ${formatCount(byHand)} by hand`;
}

/** Part of the picks that may be expected to be false by their scores, 0 to 1; NaN without any. */
export function expectedFalse(picks: Picks, out: Uint8Array, threshold: number): number {
  let count = 0;
  let sum = 0;
  for (let i = 0; i < picks.score.length; i++) {
    if (picks.score[i]! < threshold || out[i]) continue;
    count++;
    sum += 1 - picks.score[i]!;
  }
  return count === 0 ? NaN : sum / count;
}

/** The upper part of matplotlib's plasma: brighter for higher scores, so that all eyes order it alike. */
const COLOURS: readonly (readonly [number, number, number])[] = [
  [177, 42, 144],
  [204, 71, 120],
  [225, 100, 98],
  [242, 132, 75],
  [252, 166, 54],
  [252, 206, 37],
  [240, 249, 33],
];

/** The colour of a score from 0 to 1. */
export function scoreColour(score: number): string {
  const place = Math.min(Math.max(score, 0), 1) * (COLOURS.length - 1);
  const lower = Math.min(Math.floor(place), COLOURS.length - 2);
  const mixed = COLOURS[lower]!.map((value, channel) =>
    Math.round(value + (COLOURS[lower + 1]![channel]! - value) * (place - lower)),
  );
  return `rgb(${mixed.join(" ")})`;
}
