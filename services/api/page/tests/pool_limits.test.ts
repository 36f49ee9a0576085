import { expect, it } from "vitest";
import { changeOf, NOTHING_TYPED } from "../src/views/workers/pool_limits";

const POOL = { minimum: 1, maximum: 4 };

it("sends the limits that differ, and nothing where none does", () => {
  expect(changeOf(NOTHING_TYPED, POOL)).toBeNull();
  expect(changeOf({ minimum: null, maximum: "4" }, POOL)).toBeNull();
  expect(changeOf({ minimum: null, maximum: "8" }, POOL)).toEqual({ maximum: 8 });
  expect(changeOf({ minimum: "0", maximum: "0" }, POOL)).toEqual({ minimum: 0, maximum: 0 });
});

it("says why typed limits cannot be", () => {
  expect(changeOf({ minimum: "5", maximum: null }, POOL)).toBe("At least 5 and at most 4 workers cannot be.");
  for (const text of ["", " ", "-1", "1.5", "1001", "many"]) {
    expect(changeOf({ minimum: null, maximum: text }, POOL)).toContain("whole number");
  }
});
