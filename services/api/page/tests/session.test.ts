import { expect, it } from "vitest";
import type { Alarm, ProcessingStatus } from "../src/api/types";
import { shareOfLongest, stageWords } from "../src/views/session/latency";
import { sessionSentence } from "../src/views/session/sentence";
import { timeLeft } from "../src/views/session/summary";

const RUNNING: ProcessingStatus = {
  isProcessing: true,
  totalItems: 40,
  itemsLeft: 10,
  counts: {},
  ratePerHour: 212,
  rateWindowSeconds: 600,
  workers: 2,
  running: [],
  dataDirectory: "/data",
  processingDirectory: "/results",
  warnings: [],
  learnt: [],
  seq: 1,
};

function alarm(text: string, acknowledged = false): Alarm {
  return { id: text, severity: "warning", text, since: "2026-01-01T00:00:00Z", subject: "ice", acknowledged };
}

it("says how fast a session goes and how good its last movies are", () => {
  const { mood, text } = sessionSentence(RUNNING, [], [3.6, NaN, 3.2, 3.4]);
  expect(mood).toBe("well");
  expect(text.replace("\u202f", " ")).toBe("Running: 212 movies an hour, CTF fit 3.4 Å (median of the last 3)");
});

it.each([
  [{ isProcessing: false }, "rest", "Paused: 10 movies wait"],
  [{ workers: 0, itemsLeft: 1 }, "attention", "Stopped: 1 movie waits and there is no worker"],
  [{ totalItems: 0, itemsLeft: 0 }, "rest", "Waiting for the first movie"],
  [{ itemsLeft: 0 }, "rest", "All 40 movies are done"],
  [{ ratePerHour: null }, "well", "Running: the first of 40 movies is in work"],
])("says what the state is: %j", (change, mood, text) => {
  expect(sessionSentence({ ...RUNNING, ...change }, [], [])).toEqual({ mood, text });
});

it("names alarms until someone has seen them", () => {
  const open = sessionSentence(RUNNING, [alarm("ice on 7 (0.9); look at the grid"), alarm("no gain")], []);
  expect(open.mood).toBe("attention");
  expect(open.text).toMatch(/2 alarms, first: ice on 7$/);
  expect(sessionSentence(RUNNING, [alarm("ice on 7", true)], []).mood).toBe("well");
});

it("tells the time left at the present rate", () => {
  expect(timeLeft(106, 212)).toBe("30 min 00 s");
  expect(timeLeft(0, 212)).toBe("–");
  expect(timeLeft(5, null)).toBe("–");
});

it("draws stages against the longest, and names them", () => {
  const stages = [
    { stage: "motion", medianSeconds: 2, p90Seconds: 4, movies: 9 },
    { stage: "latency", medianSeconds: 6, p90Seconds: 8, movies: 9 },
  ];
  expect(shareOfLongest(4, stages)).toBe(0.5);
  expect(shareOfLongest(0, [])).toBe(0);
  expect(["ctf", "at_worker", "picking"].map(stageWords)).toEqual(["CTF", "at the worker", "picking"]);
});
