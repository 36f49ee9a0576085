import { describe, expect, it } from "vitest";
import type { Point, Tracks } from "../src/api/documents";
import { curvePath, usualRange } from "../src/views/movie/curve";
import { resolutionAt, ringsUpTo } from "../src/views/movie/rings";
import { boundsOf, localTracks, pathLength, pathThrough } from "../src/views/movie/tracks";

describe("rings", () => {
  it("lie at their frequency, apart enough to be read, within the picture", () => {
    const rings = ringsUpTo(1 / 2.7);
    expect(rings.map(({ resolutionAngstrom }) => resolutionAngstrom)).toContain(6);
    expect(rings.find(({ resolutionAngstrom }) => resolutionAngstrom === 6)!.radius).toBeCloseTo(2.7 / 6);
    const radii = [0, ...rings.map(({ radius }) => radius)];
    for (let i = 1; i < radii.length; i++) expect(radii[i]! - radii[i - 1]!).toBeGreaterThan(0.1);
    expect(radii.at(-1)).toBeLessThanOrEqual(1);
  });

  it("tell the resolution at a place", () => {
    expect(resolutionAt(0.6, 0.8, 1 / 2.7)).toBeCloseTo(2.7);
    expect(resolutionAt(0.5, 0, 1 / 2.7)).toBeCloseTo(5.4);
  });
});

describe("tracks", () => {
  const track: Point[] = [
    [0, 0],
    [3, 4],
    [3, 10],
  ];
  const corner: Point[] = [
    [0, 0],
    [3, 4],
    [5, 10],
  ];
  const TRACKS: Tracks = {
    frames: 3,
    dosePerFrame: 1,
    widthAngstrom: 1000,
    heightAngstrom: 800,
    fractions: [0.25, 0.75],
    track,
    local: track.map((point, frame) => [
      [corner[frame]!, point],
      [point, point],
    ]),
    skipped: false,
    failure: null,
  };

  it("are as long as all their steps", () => {
    expect(pathLength(track)).toBe(11);
  });

  it("lie within a square with a rim", () => {
    const { x, y, width, height } = boundsOf(track);
    expect(width).toBe(height);
    for (const [px, py] of track) {
      expect(px - x).toBeGreaterThan(0);
      expect(x + width - px).toBeGreaterThan(0);
      expect(py - y).toBeGreaterThan(0);
      expect(y + height - py).toBeGreaterThan(0);
    }
  });

  it("are drawn point by point", () => {
    expect(pathThrough(track)).toBe("M0 0L3 4L3 10");
  });

  it("show what each place does beside the whole, at its place and magnified", () => {
    const { lines, magnification } = localTracks(TRACKS);
    expect(lines.map((line) => line[0])).toEqual([
      [250, 200],
      [750, 200],
      [250, 600],
      [750, 600],
    ]);
    expect(magnification).toBeCloseTo((0.45 * 400) / 2);
    expect(lines[0]![2]).toEqual([250 + 2 * magnification, 200]);
    expect(lines[3]![2]).toEqual([750, 600]);
  });
});

it("draws a curve from its largest value at the top to nothing at the bottom, as far as it has come", () => {
  expect(curvePath([0, 50], [2, 1], 100)).toBe("M0 0L50 20");
  expect(curvePath([100], [0], 100)).toBe("M100 40");
});

it("takes the range of most values, whatever a few of them are", () => {
  const values = Array.from({ length: 100 }, (_, place) => 1 + place / 1000);
  const usual = usualRange(values);
  expect(usual[0]).toBeLessThan(1.003);
  expect(usual[1]).toBeGreaterThan(1.096);
  expect(usualRange([...values.slice(0, 99), 90])[1] - usual[1]).toBeLessThan(0.01);
  expect(usualRange([2, 2, NaN])).toEqual([1, 3]);
});
