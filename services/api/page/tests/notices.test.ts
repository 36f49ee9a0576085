import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ProblemError } from "../src/api/client";
import { act, dismissProblems, notices, notify, notifyProblem, whereItAnswers } from "../src/state/notices";
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

it("goes on after an action that was done, and tells why one was refused", async () => {
  const seen: number[] = [];
  await act(Promise.resolve(7), (answer) => seen.push(answer));
  await act(Promise.reject<number>(new ProblemError(409, "a is in use")), (answer) => seen.push(answer));
  expect(seen).toEqual([7]);
  expect(texts()).toEqual(["a is in use"]);
});

it("tells what a view cannot load, unless the line of the lost connection does", async () => {
  const failing = (error: Error) => whereItAnswers(() => Promise.reject(error));
  await failing(new ProblemError(0, "warpcore does not answer"));
  await failing(new ProblemError(401, "sign in again"));
  expect(texts()).toEqual([]);
  await failing(new ProblemError(500, "An error in warpcore"));
  expect(texts()).toEqual(["An error in warpcore"]);
  await expect(failing(new TypeError("the page's own"))).rejects.toThrow("the page's own");
});
