import { describe, expect, it } from "vitest";
import {
  drawPoints,
  firstAtLeast,
  hasPoint,
  inSight,
  type Look,
  nearestPoint,
  type Points,
} from "../src/views/plots/raster";

const AREA = { left: 0, right: 10, bottom: 0, top: 10 };
const [BLUE, RED, GREY] = [1, 2, 3];

function points(...places: [number, number][]): Points {
  return {
    x: Float64Array.from(places, ([x]) => x),
    y: Float64Array.from(places, ([, y]) => y),
    ascending: false,
  };
}

function look(changes: Partial<Look> = {}): Look {
  return {
    codes: null,
    colours: Uint32Array.of(BLUE, RED, GREY),
    marked: null,
    dimmed: Uint32Array.of(7),
    size: 1,
    ...changes,
  };
}

/** An 11 × 11 picture as lines of text, a point for nothing. */
function drawn(which: Points, how: Look): string[] {
  const pixels = new Uint32Array(121);
  drawPoints(pixels, 11, 11, which, AREA, how);
  return Array.from({ length: 11 }, (_, line) =>
    [...pixels.subarray(line * 11, line * 11 + 11)].join("").replaceAll("0", "."),
  );
}

describe("points in pixels", () => {
  it("stand where their values are, the upper edge above", () => {
    const lines = drawn(points([0, 0], [10, 10], [3, 5]), look());
    expect(lines[10]![0]).toBe("3");
    expect(lines[0]![10]).toBe("3");
    expect(lines[5]![3]).toBe("3");
    expect(lines.join("").replaceAll(".", "")).toHaveLength(3);
  });

  it("leave out what has no value or is left or right of the plot, and show the too high and low at the edges", () => {
    const lines = drawn(points([NaN, 5], [5, NaN], [-1, 5], [11, 5], [4, 1e9], [6, -1e9]), look());
    expect(lines[0]).toBe("....3......");
    expect(lines[10]).toBe("......3....");
    expect(lines.join("").replaceAll(".", "")).toHaveLength(2);
  });

  it("have the colour of their code, the last one where there is none", () => {
    const codes = Int16Array.of(0, 1, -1, 9);
    expect(drawn(points([0, 10], [1, 10], [2, 10], [3, 10]), look({ codes }))[0]).toBe("1233.......");
  });

  it("are drawn above the others where they are marked, and stay inside the picture at any size", () => {
    const marked = Uint8Array.of(1, 0);
    const lines = drawn(points([10, 0], [10, 0]), look({ marked, size: 3 }));
    expect(lines.slice(8)).toEqual(["........333", "........333", "........333"]);
    expect(drawn(points([0, 10], [5, 10]), look({ marked }))[0]).toBe("3....7.....");
  });
});

describe("a plot whose x grows", () => {
  const x = Float64Array.of(1, 2, 2, 2, 5, 9);

  it("finds places by bisection", () => {
    expect([0, 1, 2, 3, 9, 10].map((value) => firstAtLeast(x, value))).toEqual([0, 0, 1, 4, 5, 6]);
  });

  it("looks only at points between its edges, those at the edges included", () => {
    const grows = { x, y: x, ascending: true };
    expect(inSight(grows, { ...AREA, left: 2, right: 5 })).toEqual([1, 5]);
    expect(inSight(grows, { ...AREA, left: 6, right: 8 })).toEqual([5, 5]);
    expect(inSight({ ...grows, ascending: false }, { ...AREA, left: 2, right: 5 })).toEqual([0, 6]);
  });
});

it("finds the point under the pointer, not one that is too far", () => {
  const which = points([5, 5], [6, 5], [NaN, NaN], [1, 99]);
  expect(nearestPoint(which, AREA, 100, 100, { x: 57, y: 52 }, 8)).toBe(1);
  expect(nearestPoint(which, AREA, 100, 100, { x: 80, y: 80 }, 8)).toBe(-1);
  expect(nearestPoint(which, AREA, 100, 100, { x: 10, y: 2 }, 8)).toBe(3);
});

it("knows whether any movie has a point: infinite values have one, missing ones none", () => {
  expect(hasPoint(points())).toBe(false);
  expect(hasPoint(points([1, NaN], [NaN, 2]))).toBe(false);
  expect(hasPoint(points([1, NaN], [2, Infinity]))).toBe(true);
});
