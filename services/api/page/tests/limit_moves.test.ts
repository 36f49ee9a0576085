import { describe, expect, it } from "vitest";
import { modeOf, outline } from "../src/views/plots/gestures";
import { keptText } from "../src/views/plots/keeps";
import { limitAt, limitByKey, limitStep, shareOf } from "../src/views/plots/limit_moves";

describe("a limit's line", () => {
  it("moves by round steps that fit its axis, no finer than its column's digits", () => {
    expect(limitStep(5, 130, 4)).toBeCloseTo(0.02);
    expect(limitStep(5, 130, 1)).toBeCloseTo(0.1);
    expect(limitStep(1000, 130, 0)).toBe(5);
  });

  it("stands at its value, or waits at its edge", () => {
    expect(shareOf(2, "high", 0, 4)).toBe(0.5);
    expect(shareOf(9, "high", 0, 4)).toBe(1);
    expect([shareOf(null, "low", 0, 4), shareOf(null, "high", 0, 4)]).toEqual([0, 1]);
  });

  it("means the value under the pointer, none beyond the edge where it waits", () => {
    expect(limitAt(0.333, "high", 0, 10, 0.1, 100)).toBe(3.3);
    expect(limitAt(1.02, "high", 0, 10, 0.1, 100)).toBe(10);
    expect(limitAt(1.1, "high", 0, 10, 0.1, 100)).toBeNull();
    expect(limitAt(1.1, "low", 0, 10, 0.1, 100)).toBe(10);
    expect(limitAt(-0.1, "low", 0, 10, 0.1, 100)).toBeNull();
  });

  it.each([
    ["ArrowUp", 3, 3.1],
    ["PageDown", 3, 2],
    ["ArrowDown", null, 9.9],
    ["Home", 3, 0],
    ["Delete", 3, null],
    ["a", 3, undefined],
  ])("is moved by %s from %s to %s", (key, from, to) => {
    expect(limitByKey(key, from, "high", 0, 10, 0.1)).toBe(to);
  });
});

it("tells in words what is kept", () => {
  const text = (movies: number, total: number, particles: number) =>
    keptText({ movies, total, particles }).replaceAll("\u202f", " ");
  expect(text(1204, 1391, 311_234)).toBe("keeps 1 204 of 1 391 movies, 311 000 particles");
  expect(text(1, 1, 0)).toBe("keeps 1 of 1 movie");
});

it("reads what a shape does from the keys held with it, and outlines it", () => {
  const keys = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };
  expect(modeOf(keys)).toBe("replace");
  expect(modeOf({ ...keys, shiftKey: true })).toBe("add");
  expect(modeOf({ ...keys, metaKey: true })).toBe("toggle");
  expect(modeOf({ ...keys, altKey: true, shiftKey: true })).toBe("remove");
  const corners = [
    [1, 2],
    [9, 9],
    [5, 6],
  ] as const;
  expect(outline("box", corners, 100)).toEqual([
    [1, 2],
    [5, 2],
    [5, 6],
    [1, 6],
  ]);
  expect(outline("range", corners, 100)).toEqual([
    [1, 0],
    [5, 0],
    [5, 100],
    [1, 100],
  ]);
  expect(outline("lasso", corners, 100)).toEqual(corners);
});
