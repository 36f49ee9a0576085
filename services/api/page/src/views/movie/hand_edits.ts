/** A person's own edits of a movie's picks, and the way back through them. */
import type { Point } from "../../api/documents";

/** Picks that were added, and places where none is wanted; in px of the average, the centre of pixel 0 at 0. */
export interface HandEdits {
  added: readonly Point[];
  removed: readonly Point[];
}

export const NO_EDITS: HandEdits = { added: [], removed: [] };

/** The edits now, those before them (the latest last), and those that were taken back (the latest last). */
export interface EditHistory {
  present: HandEdits;
  past: readonly HandEdits[];
  undone: readonly HandEdits[];
}

export function historyOf(present: HandEdits): EditHistory {
  return { present, past: [], undone: [] };
}

/** A click at a place: what lies within `radius` px of it is removed or restored, else a pick is added there.
 *
 * Marks of a person come first: an added pick is taken away again, a removed one comes back. Then the nearest of
 * `picks`, the picker's own picks that are seen, is removed.
 */
export function clicked(hand: HandEdits, at: Point, picks: readonly Point[], radius: number): HandEdits {
  const added = nearest(hand.added, at, radius);
  if (added >= 0) return { ...hand, added: hand.added.toSpliced(added, 1) };
  const removed = nearest(hand.removed, at, radius);
  if (removed >= 0) return { ...hand, removed: hand.removed.toSpliced(removed, 1) };
  const pick = nearest(picks, at, radius);
  if (pick >= 0) return { ...hand, removed: [...hand.removed, picks[pick]!] };
  return { ...hand, added: [...hand.added, at] };
}

/** After an edit; there is nothing to do again then. */
export function edited(history: EditHistory, next: HandEdits): EditHistory {
  return { present: next, past: [...history.past, history.present], undone: [] };
}

/** One edit back; the same where there is none. */
export function undone(history: EditHistory): EditHistory {
  const before = history.past.at(-1);
  if (before === undefined) return history;
  return { present: before, past: history.past.slice(0, -1), undone: [...history.undone, history.present] };
}

/** The last edit that was taken back, done again. */
export function redone(history: EditHistory): EditHistory {
  const next = history.undone.at(-1);
  if (next === undefined) return history;
  return { present: next, past: [...history.past, history.present], undone: history.undone.slice(0, -1) };
}

export function sameEdits(a: HandEdits, b: HandEdits): boolean {
  return samePoints(a.added, b.added) && samePoints(a.removed, b.removed);
}

function samePoints(a: readonly Point[], b: readonly Point[]): boolean {
  return a.length === b.length && a.every(([x, y], place) => x === b[place]![0] && y === b[place]![1]);
}

function nearest(points: readonly Point[], [x, y]: Point, radius: number): number {
  let best = -1;
  let least = radius;
  for (const [place, one] of points.entries()) {
    const distance = Math.hypot(one[0] - x, one[1] - y);
    if (distance <= least) {
      best = place;
      least = distance;
    }
  }
  return best;
}
