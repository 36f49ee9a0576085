import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ProcessingStatus, RunningTask } from "../src/api/types";
import { showProgress, status } from "../src/state/session";
import { throttled } from "../src/state/sync";

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

it("shows the progress of a task at once, and of none that the status does not name", () => {
  const task: RunningTask = {
    movie: "a",
    worker: "w",
    lease: 7,
    purpose: "process",
    step: "load",
    fraction: 0,
    message: "",
  };
  status.value = { running: [task, { ...task, lease: 8 }] } as unknown as ProcessingStatus;
  showProgress({ ...task, step: "ctf", fraction: 0.5 });
  showProgress({ ...task, lease: 9, step: "ctf" });
  expect(status.value.running.map(({ lease, step, fraction }) => [lease, step, fraction])).toEqual([
    [7, "ctf", 0.5],
    [8, "load", 0],
  ]);
});
