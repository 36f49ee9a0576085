import { expect, it } from "vitest";
import type { Movie } from "../src/api/types";
import { canCancel, optionWords, particleWords } from "../src/views/exports/words";
import { byKind, retryWords } from "../src/views/failures/groups";
import { chosen, emptyWords, joined, type LogLine } from "../src/views/logs/lines";
import { gpuTroubles } from "../src/views/workers/load";

function lines(first: number, last: number, level = "info"): LogLine[] {
  return Array.from({ length: last - first + 1 }, (_, place) => ({
    number: first + place,
    level,
    text: `line ${first + place}`,
    ts: 0,
  }));
}

it("joins log lines without doubles, and begins anew where they are counted anew", () => {
  expect(joined(lines(1, 3), lines(2, 5), 100).map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
  expect(joined(lines(1, 3), lines(4, 6), 4).map(({ number }) => number)).toEqual([3, 4, 5, 6]);
  expect(joined(lines(1, 9), lines(1, 2), 100).map(({ number }) => number)).toEqual([1, 2]);
  expect(joined(lines(1, 3), [], 100)).toHaveLength(3);
});

it("shows lines from a level on that hold a text", () => {
  const all = [...lines(1, 2), ...lines(3, 4, "WARNING"), ...lines(5, 5, "error")];
  expect(chosen(all, "WARNING", "").map(({ number }) => number)).toEqual([3, 4, 5]);
  expect(chosen(all, "DEBUG", "LINE 2").map(({ number }) => number)).toEqual([2]);
});

it("says why no line is shown", () => {
  expect(emptyWords(null)).toBe("Loading.");
  expect(emptyWords([])).toBe("The log is empty so far.");
  expect(emptyWords(lines(1, 1))).toContain("this level");
});

it("groups failed movies by kind of failure", () => {
  const movie = (name: string, kind: string) => ({ name, failure: { kind } }) as Movie;
  const groups = byKind([movie("a", "input"), movie("b", "resource"), movie("c", "input")]);
  expect(groups.map(({ kind, movies }) => [kind, movies.map(({ name }) => name)])).toEqual([
    ["input", ["a", "c"]],
    ["resource", ["b"]],
  ]);
});

it("tells what came of a retry", () => {
  expect(retryWords(1, [])).toBe("1 movie waits again.");
  expect(retryWords(0, [{ name: "a", problem: "it has not failed" }])).toBe(
    "0 movies wait again; 1 not, first a: it has not failed",
  );
});

it("names what is wrong with a GPU, and nothing where all is well", () => {
  expect(gpuTroubles({ gpuTemperatureC: 60, gpuEccCorrected: 0, gpuThrottling: [] })).toEqual([]);
  expect(gpuTroubles({ gpuEccUncorrected: 2, gpuThrottling: ["heat", "power_cap"] })).toEqual([
    "slowed down by heat, its power limit",
    "2 memory errors not corrected: data were wrong",
  ]);
});

it("tells how many particles an export has written", () => {
  expect(particleWords({ particles: 1, particlesAtEdge: 0 })).toBe("1 particle");
  expect(particleWords({ particles: 120, particlesAtEdge: 31 })).toBe("120 particles, 31 left out at the edge");
  expect(particleWords({ particles: null, particlesAtEdge: null })).toBe("");
});

it("tells an export's own settings, and whether it can be given up", () => {
  expect(optionWords({ box_size: 256, particle_pixel_size: null, invert: false })).toBe(
    "box size 256, particle pixel size none, invert off",
  );
  expect(optionWords({})).toBe("with the settings of the session");
  expect(["running", "collecting", "done", "cancelled"].map((state) => canCancel(state as never))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
