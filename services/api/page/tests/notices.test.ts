import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { dismissProblems, notices, notify, notifyProblem } from "../src/state/notices";
import { select, undoLast } from "../src/state/selection";

const texts = () => notices.value.map(({ text }) => text);

beforeEach(() => {
  notices.value = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("tells what was done for 6 s, and a problem for 15 s", () => {
  notify("done");
  notifyProblem(new Error("wrong"));
  vi.advanceTimersByTime(5_999);
  expect(texts()).toEqual(["done", "wrong"]);
  vi.advanceTimersByTime(1);
  expect(texts()).toEqual(["wrong"]);
  vi.advanceTimersByTime(9_000);
  expect(texts()).toEqual([]);
});

it("tells no problem of a view that was left", () => {
  notify("done");
  notifyProblem(new Error("wrong"));
  dismissProblems();
  expect(texts()).toEqual(["done"]);
});

it("offers no undo of what was undone", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ changed: 1, undo: "u1" }));
  await select("exclude", [7]);
  expect(texts()).toEqual(["1 movie excluded"]);
  await undoLast();
  expect(texts()).toEqual(["Undone: 1 movie excluded"]);
});
