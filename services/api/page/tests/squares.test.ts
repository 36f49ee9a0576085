import { expect, test } from "vitest";
import type { Place, Square } from "../src/api/types";
import { COLUMNS, cellsOf, placesOf } from "../src/views/squares/places";

const medians = {
  resolutionAngstrom: 3.46,
  earlyStepAngstrom: 0.4,
  iceThickness: null,
  particles: 102,
  defocusUm: 1.25,
  offTargetUm: -0.05,
};
const place: Place = { movies: 20, done: 20, good: 19, goodShare: 0.95, medians, verdict: "good", advice: "good: …" };
const square: Square = {
  ...place,
  square: "7",
  holes: [
    { ...place, hole: "12" },
    { ...place, hole: null },
  ],
};
const told = { seq: 1, squares: [square], withoutSquare: 0 };

test("a place is told in one cell for each column", () => {
  expect(cellsOf(place)).toEqual(["20", "95 %", "3.5", "1.25", "-0.05", "-", "0.40", "102"]);
  expect(cellsOf(place)).toHaveLength(COLUMNS.length);
  expect(cellsOf({ ...place, goodShare: null })[1]).toBe("-");
});

test("squares lead to their holes", () => {
  expect(placesOf(told, undefined).map(({ name, square: leads }) => [name, leads])).toEqual([["7", "7"]]);
  expect(placesOf(told, square).map(({ name, square: leads }) => [name, leads])).toEqual([
    ["12", undefined],
    ["not known", undefined],
  ]);
});
