import { describe, expect, it } from "vitest";
import { decodeSeries } from "../src/api/series";
import type { Sections } from "../src/api/settings";
import type { ColumnInfo } from "../src/api/types";
import { filterPatch, limitsIn, settingsName } from "../src/state/filter_limits";
import { MovieStore } from "../src/state/movies";
import { decimalsOf, orderRange, roundStep, steadyRange, toStep } from "../src/views/plots/axis_steps";
import { judgedMovies, limitedBy } from "../src/views/plots/filtering";
import { countKept, passing } from "../src/views/plots/kept";
import { seriesBytes } from "./series_bytes";

function column(name: string, limits: ColumnInfo["limits"] = [], failed = false): ColumnInfo {
  const step = name.split(".")[0]!;
  return {
    name,
    heading: name,
    description: "",
    unit: "",
    digits: 2,
    step,
    kind: "number",
    main: true,
    limits,
    failed,
  };
}

const DEFOCUS = column("ctf.defocusUm", [
  { setting: "filter.defocus_min", upper: false },
  { setting: "filter.defocus_max", upper: true },
]);
const RESOLUTION = column("ctf.resolutionAngstrom", [{ setting: "filter.resolution_max", upper: true }], true);
const ICE = column("ctf.iceRing");
const COLUMNS = new Map([DEFOCUS, RESOLUTION, ICE].map((one) => [one.name, one]));
const SETTINGS: Sections = {
  ctf: { enabled: true },
  filter: { defocus_min: 0, defocus_max: 5, resolution_max: null, limits: { "ctf.ice_ring": [null, 0.5] } },
};

describe("limits in settings", () => {
  it("are named ones, and others by column", () => {
    expect(limitsIn(SETTINGS, DEFOCUS)).toEqual({ low: 0, high: 5 });
    expect(limitsIn(SETTINGS, RESOLUTION)).toEqual({ low: null, high: null });
    expect(limitsIn(SETTINGS, ICE)).toEqual({ low: null, high: 0.5 });
    expect(settingsName("motion.largestFrameMovementAngstrom")).toBe("motion.largest_frame_movement_angstrom");
  });

  it("are the stricter ones where both have one", () => {
    const both = { filter: { defocus_min: 0, defocus_max: 5, limits: { "ctf.defocus_um": [0.5, 7] } } } as Sections;
    expect(limitsIn(both, DEFOCUS)).toEqual({ low: 0.5, high: 5 });
  });

  it("are changed by a patch that leaves the others as they are", () => {
    const drafts = new Map([
      ["ctf.defocusUm", { low: 0.8, high: 5 }],
      ["ctf.resolutionAngstrom", { low: null, high: 4 }],
    ]);
    expect(filterPatch(SETTINGS, COLUMNS, drafts)).toEqual({
      filter: { defocus_min: 0.8, defocus_max: 5, resolution_max: 4 },
    });
    const lift = new Map([["ctf.iceRing", { low: null, high: null }]]);
    expect(filterPatch(SETTINGS, COLUMNS, lift)).toEqual({ filter: { limits: {} } });
    const finest = new Map([["ctf.resolutionAngstrom", { low: 2, high: 4 }]]);
    expect(filterPatch(SETTINGS, COLUMNS, finest)).toEqual({
      filter: { resolution_max: 4, limits: { "ctf.ice_ring": [null, 0.5], "ctf.resolution_angstrom": [2, null] } },
    });
    expect(SETTINGS.filter!.limits).toEqual({ "ctf.ice_ring": [null, 0.5] });
  });
});

it("judges the session's movies as its filter does", () => {
  const store = new MovieStore();
  store.apply(
    decodeSeries(
      seriesBytes({
        seq: 1,
        epoch: "e",
        full: true,
        columns: [
          { name: "id", kind: "u32", values: [1, 2, 3, 4, 5, 6] },
          {
            name: "status",
            kind: "word",
            words: ["processed", "filtered_out", "failed"],
            values: [0, 1, 2, 1, 0, 0],
          },
          { name: "selection", kind: "word", words: ["auto", "exclude"], values: [0, 0, 0, 0, 1, 0] },
          { name: "ctf.defocusUm", kind: "number", digits: 2, values: [1, 1, 1, null, 1, 1] },
          { name: "ctf.resolutionAngstrom", kind: "number", digits: 2, values: [3, 9, 3, null, 3, null] },
        ],
      }),
    ),
  );
  const kept = (settings: Sections) => {
    const limits = { low: null, high: 5 };
    const columns = limitedBy(store, [DEFOCUS, RESOLUTION], settings, () => limits);
    return countKept(judgedMovies(store), passing(store.count, [...columns.values()]), null);
  };
  // The second is too coarse, the fourth has no fit at all, the fifth is excluded; the last lacks the resolution alone.
  expect(kept(SETTINGS)).toEqual({ movies: 2, total: 5, particles: 0 });
  expect(kept({ ctf: { enabled: false } })).toEqual({ movies: 4, total: 5, particles: 0 });
});

describe("axes", () => {
  it.each([
    [0.038, 0.02],
    [1, 1],
    [4.99, 2],
    [700, 500],
  ])("of %d px have steps of %d", (value, step) => expect(roundStep(value)).toBeCloseTo(step, 12));

  it("have values without a tail", () => {
    expect(toStep(0.30000000000000004, 0.1)).toBe(0.3);
    expect(toStep(1234.5, 200)).toBe(1200);
    expect([0.01, 0.2, 5, 0.1, 0.25, 0.3 - 0.2].map(decimalsOf)).toEqual([2, 1, 0, 1, 2, 1]);
  });

  it("stay while movies arrive, and follow when they must", () => {
    expect(steadyRange([0, 10], [1, 9])).toEqual([0, 10]);
    expect(steadyRange([0, 10], [1, 11])).toEqual([1, 11]);
    expect(steadyRange([0, 10], [1, 2])).toEqual([1, 2]);
    expect(steadyRange(null, [1, 2])).toEqual([1, 2]);
    expect(orderRange(1391)).toEqual([0, 1400]);
    expect(orderRange(0)[1]).toBeGreaterThan(0);
    for (const count of [1, 10, 99, 5000, 100_000]) expect(orderRange(count)[1]).toBeGreaterThan(count);
  });
});
