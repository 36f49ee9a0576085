import { describe, expect, it } from "vitest";
import { canGoFirst } from "../src/views/movie/movie_state";
import { distanceAngstrom, lengthText, scaleBar } from "../src/views/movie/ruler";
import { whereWords } from "../src/views/movie/story_panel";
import { overview, scaleFor, TILE_PX, tilesFor } from "../src/views/movie/tiles";
import { fitted, panned, resized, seen, toImage, toScreen, zoomed } from "../src/views/movie/view_transform";

const IMAGE = { width: 5760, height: 4092 };
const BOX = { width: 800, height: 600 };

describe("zoom and pan", () => {
  it("begins with the whole image in the middle", () => {
    const view = fitted(IMAGE, BOX);
    expect(view.zoom).toBeCloseTo(800 / 5760);
    expect(seen(view, IMAGE, BOX)).toEqual({ x: 0, y: 0, ...IMAGE });
    expect(toScreen(view, { x: 2880, y: 2046 })).toEqual({ x: expect.closeTo(400), y: expect.closeTo(300) });
  });

  it("keeps the place under the pointer", () => {
    const at = { x: 220, y: 410 };
    const before = zoomed(fitted(IMAGE, BOX), 4, { x: 400, y: 300 }, IMAGE, BOX);
    const after = zoomed(before, 1.7, at, IMAGE, BOX);
    expect(after.zoom).toBeCloseTo(1.7 * before.zoom);
    expect(toImage(after, at).x).toBeCloseTo(toImage(before, at).x);
    expect(toImage(after, at).y).toBeCloseTo(toImage(before, at).y);
  });

  it("ends at the whole image and at sixteen px for one", () => {
    const view = fitted(IMAGE, BOX);
    expect(zoomed(view, 0.01, { x: 0, y: 0 }, IMAGE, BOX)).toEqual(view);
    expect(zoomed(view, 1e9, { x: 0, y: 0 }, IMAGE, BOX).zoom).toBe(16);
  });

  it("moves with the pointer but leaves no empty rim", () => {
    const view = zoomed(fitted(IMAGE, BOX), 20, { x: 400, y: 300 }, IMAGE, BOX);
    const moved = panned(view, { x: 30, y: -50 }, IMAGE, BOX);
    expect(moved.x).toBeCloseTo(view.x - 30 / view.zoom);
    expect(moved.y).toBeCloseTo(view.y + 50 / view.zoom);
    const far = panned(view, { x: 1e6, y: -1e6 }, IMAGE, BOX);
    expect(far.x).toBe(0);
    expect(far.y).toBeCloseTo(IMAGE.height - BOX.height / view.zoom);
  });

  it("keeps its middle when the window changes its size", () => {
    const view = zoomed(fitted(IMAGE, BOX), 8, { x: 500, y: 200 }, IMAGE, BOX);
    const larger = { width: 1000, height: 900 };
    const after = resized(view, IMAGE, BOX, larger);
    expect(toImage(after, { x: 500, y: 450 }).x).toBeCloseTo(toImage(view, { x: 400, y: 300 }).x);
    expect(after.zoom).toBe(view.zoom);
  });
});

describe("tiles", () => {
  it.each([
    [1, 1, 1],
    [4, 1, 1],
    [0.5, 1, 0.5],
    [0.3, 1, 0.5],
    [0.3, 2, 1],
    [0.01, 1, 1 / 64],
  ])("at zoom %d and %d px for one of CSS are of scale %d", (zoom, density, scale) => {
    expect(scaleFor(zoom, density)).toBe(scale);
  });

  it("are one for the whole image where that is sharp enough", () => {
    const small = { width: 300, height: 200 };
    expect(tilesFor(fitted(IMAGE, small), IMAGE, small, 1)).toEqual([overview(IMAGE)]);
    expect(overview(IMAGE).scale).toBe(1 / 16);
  });

  it("cover what is seen once, at full resolution, and none is larger than a tile", () => {
    const view = { x: 1000.5, y: 3300, zoom: 1 };
    const part = seen(view, IMAGE, BOX);
    const tiles = tilesFor(view, IMAGE, BOX, 1);
    const covered = tiles.map(({ shown }) => {
      const width = Math.min(shown.x + shown.width, part.x + part.width) - Math.max(shown.x, part.x);
      const height = Math.min(shown.y + shown.height, part.y + part.height) - Math.max(shown.y, part.y);
      expect(Math.min(width, height)).toBeGreaterThan(0);
      expect(Math.max(shown.width, shown.height)).toBeLessThanOrEqual(TILE_PX);
      return width * height;
    });
    expect(covered.reduce((sum, area) => sum + area)).toBeCloseTo(part.width * part.height);
    expect(tiles.every(({ scale }) => scale === 1)).toBe(true);
  });

  it("begin in the middle of what is seen", () => {
    const first = tilesFor({ x: 0, y: 0, zoom: 1 }, IMAGE, { width: 2560, height: 2560 }, 1)[0]!;
    expect(first.shown).toEqual({ x: 1024, y: 1024, width: TILE_PX, height: TILE_PX });
  });

  it("are asked for with a rim where they are smoothed, but never beyond the image", () => {
    const [corner] = tilesFor({ x: 0, y: 0, zoom: 1 }, IMAGE, { width: 100, height: 100 }, 1, true);
    expect(corner!.shown).toEqual({ x: 0, y: 0, width: 512, height: 512 });
    expect(corner!.crop).toEqual({ x: 0, y: 0, width: 544, height: 544 });
  });
});

describe("lengths", () => {
  it.each([
    [1, 160, 100, "10\u202fnm"],
    [0.83, 160, 100, "10\u202fnm"],
    [2.6, 160, 200, "20\u202fnm"],
    [0.4, 160, 50, "50\u202fÅ"],
    [100, 160, 10_000, "1\u202fµm"],
  ])("at %d Å a px and %d px the bar is of %d Å: %s", (angstromPerPx, mostPx, lengthAngstrom, text) => {
    const bar = scaleBar(angstromPerPx, mostPx);
    expect(bar.lengthAngstrom).toBe(lengthAngstrom);
    expect(bar.lengthPx).toBeCloseTo(lengthAngstrom / angstromPerPx);
    expect(bar.text).toBe(text);
  });

  it("are measured in Å and nm", () => {
    expect(distanceAngstrom({ x: 10, y: 10 }, { x: 40, y: 50 }, 1.35)).toBeCloseTo(67.5);
    expect(lengthText(67.5)).toBe("67.5\u202fÅ (6.75\u202fnm)");
    expect(lengthText(1384.2)).toBe("1\u202f384\u202fÅ (138.4\u202fnm)");
  });
});

it.each([
  ["unprocessed", "auto", true],
  ["outdated", "include", true],
  ["unprocessed", "exclude", false],
  ["queued", "auto", false],
  ["failed", "auto", false],
  ["processed", "auto", false],
] as const)("offers to process a movie first that is %s and %s: %s", (status, selection, offered) => {
  expect(canGoFirst({ status, selection })).toBe(offered);
});

it("tells at which step, on which worker and in which task something happened to a movie", () => {
  expect(whereWords({ worker: "gpu1/0", lease: 7, step: "ctf" })).toBe("ctf, lease 7 on gpu1/0");
  expect(whereWords({ worker: "gpu1/0", lease: 7, step: "" })).toBe("lease 7 on gpu1/0");
  expect(whereWords({ worker: "", lease: 0, step: "" })).toBe("");
});
