import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ColumnInfo } from "../src/api/types";
import { columnText, enteredMoment, isMoment, readDigits, unitText, valueText } from "../src/parts/values";
import { timeZone } from "../src/state/preferences";
import { filterFrom, filterWords } from "../src/views/movies/filter_words";

const FOUND: ColumnInfo = {
  name: "run.foundAt",
  heading: "found",
  description: "",
  unit: "UTC",
  digits: 0,
  step: "run",
  kind: "number",
  main: false,
  limits: [],
  failed: false,
};
const DEFOCUS: ColumnInfo = { ...FOUND, name: "ctf.defocusUm", heading: "defocus", unit: "µm", digits: 2 };
const SECONDS = Date.UTC(2024, 0, 31, 23, 30, 5) / 1000;

beforeEach(() => {
  vi.stubEnv("TZ", "Asia/Tokyo");
});
afterEach(() => {
  vi.unstubAllEnvs();
  timeZone.value = "local";
});

it.each([
  ["UTC", "2024-01-31 23:30:05", "UTC", "2024-01-31T23:30:05"],
  ["local", "2024-02-01 08:30:05", "local time", "2024-02-01T08:30:05"],
] as const)("moments are shown and entered in the operator's zone: %s", (zone, text, unit, entry) => {
  timeZone.value = zone;
  expect(valueText(SECONDS, FOUND)).toBe(text);
  expect(columnText(SECONDS + 0.25, FOUND)).toBe(text);
  expect(unitText(FOUND)).toBe(unit);
  expect(enteredMoment(entry)).toBe(SECONDS);
});

it("moments that are missing or half entered are none", () => {
  expect(columnText(NaN, FOUND)).toBe("–");
  expect(enteredMoment("")).toBeNull();
  expect(enteredMoment("2024-01-31T")).toBeNull();
});

it("other columns keep their unit", () => {
  expect([isMoment(DEFOCUS), unitText(DEFOCUS)]).toEqual([false, "µm"]);
  expect(valueText(1.5, DEFOCUS)).toBe("1.50");
  expect(columnText(1.5, DEFOCUS, 1)).toBe("1.5\u202fµm");
});

it("values that are read alone have no more decimals than they tell", () => {
  const told = [DEFOCUS, { ...DEFOCUS, digits: 4 }, { ...DEFOCUS, unit: "Å", digits: 4 }, { unit: "", digits: 4 }];
  expect(told.map(readDigits)).toEqual([2, 2, 4, 3]);
});

it("a filter of moments takes in the whole of its last second, and is told as times", () => {
  timeZone.value = "UTC";
  const filter = filterFrom(FOUND, { low: "2024-01-31T23:00", high: "2024-01-31T23:30:05" })!;
  expect(filter).toEqual({ column: "run.foundAt", kind: "range", low: SECONDS - 1805, high: SECONDS + 0.999 });
  expect(filterWords(filter, FOUND)).toBe("found 2024-01-31 23:00:00 to 2024-01-31 23:30:05");
  expect(filterFrom(FOUND, { low: "2024-01-31T", high: "" })).toBeNull();
  expect(filterWords({ column: "ctf.defocusUm", kind: "range", low: 0.5, high: 2 }, DEFOCUS)).toBe(
    "defocus 0.5 to 2\u202fµm",
  );
});
