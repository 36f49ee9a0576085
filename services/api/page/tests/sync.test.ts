import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ProblemError } from "../src/api/client";
import type { ProcessingStatus, RunningTask } from "../src/api/types";
import { connection, showTask, status } from "../src/state/session";
import { keep, throttled } from "../src/state/sync";

const LEAST_MS = 50;
const MOST_MS = 250;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** When each request began, ms, where each takes `tookMs` and calls come at these times. */
async function begun(calls: readonly number[], tookMs: number): Promise<number[]> {
  const start = Date.now();
  const times: number[] = [];
  const call = throttled(
    async () => {
      times.push(Date.now() - start);
      await new Promise((resolve) => setTimeout(resolve, tookMs));
    },
    LEAST_MS,
    MOST_MS,
  );
  for (const at of calls) setTimeout(call, at);
  await vi.advanceTimersByTimeAsync(5_000);
  return times;
}

it("asks at once after a single event, however soon it follows the pause after the last", async () => {
  expect(await begun([0, 300], 20)).toEqual([0, 300]);
  expect(await begun([0, 71], 20)).toEqual([0, 71]);
});

it("asks once more for all events that come while it asks or pauses", async () => {
  expect(await begun([0, 5, 10, 60], 20)).toEqual([0, 70]);
});

it("pauses the longer the longer events come without an end, and not after they have ended", async () => {
  const steady = Array.from({ length: 100 }, (_, place) => 10 * place);
  const times = await begun([...steady, 3_000, 3_075], 20);
  const gaps = times.map((time, place) => time - (times[place - 1] ?? 0)).slice(1, 6);
  expect(gaps).toEqual([70, 120, 220, 270, 270]);
  expect(times.slice(-2)).toEqual([3_000, 3_075]);
});

it("shows tasks as their events tell of them, in the order of their leases", () => {
  const told = (lease: number, step: string): RunningTask => ({
    movie: `m${lease}`,
    worker: "w",
    lease,
    purpose: "process",
    step,
    fraction: 0,
    message: "",
  });
  const shown = () => status.value!.running.map(({ lease, step }) => `${lease} ${step}`);
  status.value = { running: [told(7, "load"), told(8, "")] } as unknown as ProcessingStatus;
  showTask("task.progress", told(7, "ctf"));
  expect(shown()).toEqual(["7 ctf", "8 "]);
  showTask("task.assigned", told(9, ""));
  showTask("task.progress", told(8, "load"));
  showTask("task.finished", told(7, ""));
  showTask("task.lost", told(7, ""));
  expect(shown()).toEqual(["8 load", "9 "]);
});

it("says what is not the present state as long as any part of it could not be loaded", async () => {
  const failing = (status: number, text: string) => () => Promise.reject(new ProblemError(status, text));
  const fine = () => Promise.resolve();
  await keep("movies", failing(500, "An error in warpcore"));
  await keep("status", fine);
  expect(connection.value).toEqual({
    state: "lost",
    text: "An error in warpcore. The page shows the last known state and goes on by itself.",
  });
  await keep("status", failing(0, ""));
  await keep("movies", fine);
  expect(connection.value.text).toContain("No connection to warpcore");
  await keep("status", fine);
  expect(connection.value).toEqual({ state: "connected", text: "" });
});
