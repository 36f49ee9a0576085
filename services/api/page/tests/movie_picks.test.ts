import { describe, expect, it } from "vitest";
import type { Picks } from "../src/api/documents";
import { clicked, edited, historyOf, NO_EDITS, redone, sameEdits, undone } from "../src/views/movie/hand_edits";
import { countAt, expectedFalse, keptText, overruled, scoreColour } from "../src/views/movie/picks_model";

const PICKS: Picks = {
  width: 100,
  height: 100,
  pixelSizeAngstrom: 2,
  diameterAngstrom: 40,
  threshold: 0.5,
  certainty: 0.9,
  uncertain: false,
  method: "both",
  count: 3,
  xPx: [10, 50, 80, 20],
  yPx: [10, 50, 20, 80],
  score: [0.95, 0.8, 0.5, 0.2],
  histogram: [],
  hand: { added: [], removed: [], withinPx: 5 },
};
const NOBODY = overruled(PICKS, NO_EDITS);

describe("a threshold", () => {
  it.each([
    [0, 4],
    [0.5, 3],
    [0.51, 2],
    [1, 0],
  ])("of %d keeps %d candidates", (threshold, count) => {
    expect(countAt(PICKS, NOBODY, threshold)).toBe(count);
  });

  it("says how many of those kept may be false", () => {
    expect(expectedFalse(PICKS, NOBODY, 0.6)).toBeCloseTo((0.05 + 0.2) / 2);
    expect(expectedFalse(PICKS, NOBODY, 0.99)).toBeNaN();
  });

  it("keeps candidates; those added by hand are counted apart", () => {
    expect(keptText(56, 56, 0)).toBe("56 particles of 56 candidates");
    expect(keptText(1, 56, 2)).toBe("1 particle of 56 candidates and 2 by hand");
  });

  it("does not touch what a person has added or removed", () => {
    const hand = { added: [[53, 54]] as const, removed: [[10, 13]] as const };
    const out = overruled(PICKS, hand);
    expect([...out]).toEqual([1, 1, 0, 0]);
    expect(countAt(PICKS, out, 0.5)).toBe(1);
    expect(countAt(PICKS, out, 1)).toBe(0);
  });
});

it("colours scores brighter the higher they are", () => {
  const brightness = [0, 0.2, 0.4, 0.6, 0.8, 1].map((score) => {
    const [red, green, blue] = scoreColour(score).match(/\d+/g)!.map(Number);
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  });
  expect(brightness).toEqual(brightness.toSorted((a, b) => a - b));
  expect(new Set(brightness).size).toBe(6);
});

describe("a click", () => {
  const kept = [
    [10, 10],
    [50, 50],
  ] as const;

  it("adds a pick where there is none, and takes it away again", () => {
    const added = clicked(NO_EDITS, [70, 70], kept, 10);
    expect(added).toEqual({ added: [[70, 70]], removed: [] });
    expect(clicked(added, [73, 72], kept, 10)).toEqual(NO_EDITS);
  });

  it("removes the nearest pick, and brings it back", () => {
    const removed = clicked(NO_EDITS, [44, 52], kept, 10);
    expect(removed).toEqual({ added: [], removed: [[50, 50]] });
    expect(clicked(removed, [52, 50], kept, 10)).toEqual(NO_EDITS);
  });
});

describe("edits", () => {
  const one = clicked(NO_EDITS, [1, 1], [], 0.5);
  const two = clicked(one, [2, 2], [], 0.5);

  it("are undone one by one and done again", () => {
    const after = edited(edited(historyOf(NO_EDITS), one), two);
    const back = undone(after);
    expect(back.present).toEqual(one);
    expect(undone(back).present).toEqual(NO_EDITS);
    expect(undone(undone(undone(back)))).toEqual(undone(back));
    expect(redone(redone(undone(back))).present).toEqual(two);
  });

  it("forget what was undone when another follows", () => {
    const other = clicked(one, [9, 9], [], 0.5);
    const after = edited(undone(edited(edited(historyOf(NO_EDITS), one), two)), other);
    expect(redone(after)).toBe(after);
    expect(undone(after).present).toEqual(one);
  });

  it("are the same where all positions are", () => {
    expect(sameEdits(one, { added: [[1, 1]], removed: [] })).toBe(true);
    expect(sameEdits(one, two)).toBe(false);
    expect(sameEdits(one, { added: [], removed: [[1, 1]] })).toBe(false);
  });
});
