import { expect, it } from "vitest";
import type { Alarm, Movie, Worker } from "../src/api/types";
import { outcomeWords } from "../src/state/failed";
import { canCancel, deletionWords, hasSummary, optionWords, particleWords } from "../src/views/exports/words";
import { byKind } from "../src/views/failures/groups";
import { chosen, emptyWords, joined, type LogLine } from "../src/views/logs/lines";
import { gpuTroubles, troublesOf, workerState } from "../src/views/workers/load";

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

it("tells what came of an action on failed movies", () => {
  const refused = { name: "a", problem: "a is processed, not failed" };
  expect(outcomeWords("tried again", 1, [], "grid1/a")).toBe("grid1/a is tried again.");
  expect(outcomeWords("forgotten", 1, [])).toBe("1 movie is forgotten.");
  expect(outcomeWords("forgotten", 3, [refused])).toBe("3 movies are forgotten; 1 is not: a is processed, not failed");
  expect(outcomeWords("forgotten", 3, [refused, refused])).toContain("; 2 are not: a is processed");
});

it("names what is wrong with a GPU, and nothing where all is well", () => {
  expect(gpuTroubles({ gpuTemperatureC: 60, gpuEccCorrected: 0, gpuThrottling: [] })).toEqual([]);
  expect(gpuTroubles({ gpuEccUncorrected: 2, gpuThrottling: ["heat", "power_cap"] })).toEqual([
    "slowed down by heat, its power limit",
    "2 memory errors not corrected: data were wrong",
  ]);
});

it("says of a worker that is given no movies that it is not used, and why", () => {
  const reason = "it does not see the data directory: /data/a.tif is not there; mount /data on gpu2";
  expect(workerState({ state: "idle", reason })).toBe("not_used");
  expect(workerState({ state: "idle", reason: "" })).toBe("idle");
  expect(workerState({ state: "busy", reason })).toBe("busy");
  expect(workerState({ state: "lost", reason: "ended" })).toBe("lost");
  const worker = { id: "gpu2/0", reason, load: {}, warnings: ["no room in /tmp"] } as unknown as Worker;
  const alarm = (subject: string, text: string) => ({ subject, text }) as Alarm;
  const alarms = [
    alarm("gpu2/0", `worker gpu2/0 is given no movies: ${reason}`),
    alarm("gpu2/0", "another worker called gpu2/0 waits until that one has ended"),
    alarm("gpu3/0", "worker gpu3/0 is lost"),
  ];
  expect(troublesOf(worker, alarms)).toEqual([
    reason,
    "no room in /tmp",
    "another worker called gpu2/0 waits until that one has ended",
  ]);
  expect(troublesOf({ ...worker, reason: "", warnings: [] }, [])).toEqual([]);
});

it("tells how many particles an export has written", () => {
  expect(particleWords({ particles: 1, particlesAtEdge: 0 })).toBe("1 particle");
  expect(particleWords({ particles: 120, particlesAtEdge: 31 })).toBe("120 particles, 31 left out at the edge");
  expect(particleWords({ particles: null, particlesAtEdge: null })).toBe("");
});

it("says what is deleted with an export, and what stays", () => {
  const job = { folder: "particles/job-1", state: "done", done: 12 } as const;
  expect(deletionWords(job)).toBe("Its folder particles/job-1, with the files of 12 movies, is deleted.");
  expect(deletionWords({ ...job, state: "running", done: 1 })).toBe(
    "It is given up. Its folder particles/job-1, with the files of 1 movie, is deleted.",
  );
  expect(deletionWords({ ...job, folder: "" })).toContain("stay");
  expect(hasSummary({ kind: "particles", state: "done" })).toBe(true);
  expect(hasSummary({ kind: "particles", state: "deleting" })).toBe(false);
  expect(hasSummary({ kind: "micrographs", state: "done" })).toBe(false);
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
