import type { VNode } from "preact";
import { expect, it } from "vitest";
import type { Alarm } from "../src/api/types";
import { alarms, unseenAlarms } from "../src/state/session";
import { shareOfLongest, stageColumn } from "../src/views/session/latency";
import { Notes } from "../src/views/session/notes";
import { attention, moodOf, sessionState } from "../src/views/session/sentence";
import { roomWords } from "../src/views/session/storage";
import { timeLeft } from "../src/views/session/summary";

function alarm(acknowledged: boolean, severity: Alarm["severity"] = "warning"): Alarm {
  return {
    id: "ice",
    severity,
    title: "ice",
    text: "ice",
    since: "2026-01-01T00:00:00Z",
    subject: "ice",
    acknowledged,
  };
}

it.each([
  ["well: 212 movies in the last hour, median 3.4 Å", [], "well"],
  ["well: 212 movies in the last hour; one alarm: ice", [alarm(false)], "attention"],
  ["well: 212 movies in the last hour", [alarm(true)], "well"],
  ["well: 212 movies in the last hour", [alarm(true, "critical"), alarm(false)], "attention"],
  ["trouble: 3 movies left; one alarm: disk full", [alarm(false), alarm(false, "critical")], "critical"],
  ["trouble: 3 movies left; one alarm: no worker", [], "attention"],
  ["paused: 10 movies left, none done in the last hour", [], "rest"],
  ["holding: 10 movies left, none done in the last hour", [alarm(true, "critical")], "attention"],
] as const)("shows whether a person should look: %s", (summary, told, mood) => {
  alarms.value = told;
  expect(moodOf(summary, unseenAlarms.value)).toBe(mood);
});

it("says that the session holds and why, also once the alarm of it was seen, and nothing twice", () => {
  const holds = ["disk full on /results: 0.3 GB left, needs 2 GB"];
  const full: Alarm = { ...alarm(false, "critical"), id: "disk:processing", text: "disk full on /results" };
  const held = { severity: "critical", text: `on hold: ${holds[0]}` };
  expect(attention(holds, [])).toEqual([held]);
  const nearlyFull: Alarm = { ...full, id: "disk:state", severity: "warning" };
  expect(attention(holds, [full, nearlyFull, alarm(false)])).toEqual([held, nearlyFull, alarm(false)]);
  expect(attention([], [full])).toEqual([full]);
  expect(sessionState({ isProcessing: true, holds })).toBe("on_hold");
  expect(sessionState({ isProcessing: false, holds })).toBe("paused");
  expect(sessionState({ isProcessing: true, holds: [] })).toBe("running");
});

it("lists what is no alarm, and has no panel where nothing is told", () => {
  const notes = ["averages of movies are not taken: a.mrc (one frame beside a.tif)", "the voltage is assumed"];
  const list = Notes({ notes })!.props.children as VNode<{ children: VNode<{ children: string }>[] }>;
  expect(list.props.children.map(({ props }) => props.children)).toEqual(notes);
  expect(Notes({ notes: [] })).toBeNull();
});

it("tells the time left at the present rate", () => {
  expect(timeLeft(106, 212)).toBe("30 min 00 s");
  expect(timeLeft(0, 212)).toBe("–");
  expect(timeLeft(5, null)).toBe("–");
});

it("draws stages against the longest, and names them as their columns", () => {
  const stages = [
    { stage: "motion", medianSeconds: 2, p90Seconds: 4, movies: 9 },
    { stage: "latency", medianSeconds: 6, p90Seconds: 8, movies: 9 },
  ];
  expect(shareOfLongest(4, stages)).toBe(0.5);
  expect(shareOfLongest(0, [])).toBe(0);
  expect(["ctf", "at_worker"].map(stageColumn)).toEqual(["run.ctfS", "run.atWorkerS"]);
});

it("tells the room in a directory, or that it does not answer", () => {
  const disk = { directory: "data" as const, path: "/data", freeBytes: 412e9, totalBytes: 2e12 };
  expect(roomWords(disk).replaceAll("\u202f", " ")).toBe("412 GB free of 2.0 TB");
  expect(roomWords({ ...disk, freeBytes: null, totalBytes: null })).toBe("is not there, or does not answer");
});
