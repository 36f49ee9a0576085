import { describe, expect, it } from "vitest";
import { inside, rowsInBox, rowsInLasso } from "../src/views/plots/geometry";
import { histogram } from "../src/views/plots/histogram";
import { countKept, Judged, KeptCounter, type LimitedColumn, passing } from "../src/views/plots/kept";
import { moved, padded, usefulRange, zoomed } from "../src/views/plots/ranges";

const AREA = { left: 0, right: 10, bottom: 0, top: 10 };

describe("a histogram", () => {
  const x = Float64Array.of(1, 2, 3, 4, 5, 20);
  const y = Float64Array.of(0, 4.9, 5, NaN, 99, 5);
  const points = { x, y, ascending: true };

  it("counts the points in sight by value and colour, those beyond its edges in the outer bins", () => {
    const { counts, highest } = histogram(points, AREA, 2, Int16Array.of(0, 0, 1, 0, -1, 0), 3);
    expect([...counts]).toEqual([2, 0, 0, 0, 1, 1]);
    expect(highest).toBe(2);
  });

  it("counts only those that are included", () => {
    expect([...histogram(points, AREA, 2, null, 1, Uint8Array.of(1, 0, 0, 1, 1, 1)).counts]).toEqual([1, 1]);
  });
});

describe("the range that a plot shows", () => {
  it("leaves out a few values far away, and keeps all where none is", () => {
    const values = Float64Array.from({ length: 1000 }, (_, place) => place / 1000);
    const [low, high] = usefulRange(values);
    expect(low).toBeLessThanOrEqual(0);
    expect(high).toBeGreaterThanOrEqual(0.999);
    values[500] = 1e6;
    expect(usefulRange(values)[1]).toBeLessThan(2);
  });

  it("takes in a limit that is near, not one that would squeeze the values", () => {
    const values = Float64Array.of(3, 4, NaN, 5);
    expect(usefulRange(values, [6])[1]).toBeGreaterThan(6);
    expect(usefulRange(values, [600])[1]).toBeLessThan(6);
  });

  it("is never empty", () => {
    for (const values of [[], [NaN], [0], [7, 7]]) {
      const [low, high] = usefulRange(Float64Array.from(values));
      expect(low).toBeLessThan(high);
    }
    expect(padded([3, 3])).toEqual([2.5, 3.5]);
  });

  it("zooms about the pointer and moves, but never beyond the whole", () => {
    expect(zoomed([0, 100], 25, 0.5, [0, 100])).toEqual([12.5, 62.5]);
    expect(zoomed([40, 60], 50, 100, [0, 100])).toEqual([0, 100]);
    expect(moved([40, 60], 70, [0, 100])).toEqual([80, 100]);
    const [low, high] = zoomed([50, 50.0001], 50, 0.0001, [0, 100]);
    expect(high).toBeGreaterThan(low);
  });
});

describe("a drawn shape", () => {
  const points = { x: Float64Array.of(1, 5, 9, NaN, 5), y: Float64Array.of(1, 5, 9, 5, 50), ascending: false };

  it("takes in points inside a box, the edges included", () => {
    expect([...rowsInBox(points, { left: 1, right: 5, bottom: 1, top: 5 })]).toEqual([0, 1]);
    expect([...rowsInBox(points, { left: 5, right: 9, bottom: -Infinity, top: Infinity })]).toEqual([1, 2, 4]);
  });

  it("takes in points inside a lasso, with those that are drawn at its edge", () => {
    const triangle = [
      [4, 4],
      [6, 4],
      [5, 11],
    ] as const;
    expect([...rowsInLasso(points, triangle, AREA)]).toEqual([1, 4]);
    expect([...rowsInLasso(points, triangle.slice(0, 2), AREA)]).toEqual([]);
  });

  it("has no inside where its line folds back", () => {
    const corners = [
      [0, 0],
      [10, 0],
      [10, 10],
      [6, 10],
      [6, 4],
      [4, 4],
      [4, 10],
      [0, 10],
    ] as const;
    expect(inside(corners, 5, 2)).toBe(true);
    expect(inside(corners, 5, 6)).toBe(false);
    expect(inside(corners, 2, 6)).toBe(true);
  });
});

describe("what the filter keeps", () => {
  const resolution: LimitedColumn = {
    values: Float64Array.of(3, 5, 5.01, NaN, NaN, 9),
    failed: Uint8Array.of(0, 0, 0, 0, 1, 0),
    low: null,
    high: 5,
  };
  const defocus: LimitedColumn = { values: Float64Array.of(1, 2, 1, 1, 1, 1), failed: null, low: 0, high: 1.5 };

  it("is what no limit rejects: a value at the limit and one not measured pass, a failed fit does not", () => {
    expect([...passing(6, [resolution])]).toEqual([1, 1, 1 - 1, 1, 0, 0]);
    expect([...passing(6, [resolution, defocus])]).toEqual([1, 0, 0, 1, 0, 0]);
    expect([...passing(6, [{ ...resolution, high: null }])]).toEqual([1, 1, 1, 1, 1, 1]);
  });

  const judged = Uint8Array.of(
    Judged.byFilter,
    Judged.byFilter,
    Judged.included,
    Judged.excluded,
    Judged.no,
    Judged.byFilter,
  );
  const particles = Float64Array.of(100, 50, 7, 1, 1, NaN);

  it("holds what the user includes, not what the user excludes, and no movie without results", () => {
    expect(countKept(judged, passing(6, [resolution]), particles)).toEqual({ movies: 3, total: 5, particles: 157 });
    expect(countKept(judged, passing(6, []), null)).toEqual({ movies: 4, total: 5, particles: 0 });
  });

  it("is counted the same while a limit moves", () => {
    const counter = new KeptCounter(judged, particles, [defocus]);
    for (const high of [null, 9, 5, 3, 0]) {
      const now = { ...resolution, high };
      expect(counter.count([now])).toEqual(countKept(judged, passing(6, [defocus, now]), particles));
    }
  });
});
