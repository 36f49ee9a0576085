import { describe, expect, it } from "vitest";
import { formatBytes, formatCount, formatDuration, formatNumber, formatTime, withUnit } from "../src/parts/format";
import { timeZone } from "../src/state/preferences";

describe("numbers", () => {
  it("have their thousands apart, and the digits of their column", () => {
    expect(formatCount(1204567)).toBe("1\u202f204\u202f567");
    expect(formatNumber(12345.678, 1)).toBe("12\u202f345.7");
    expect(formatNumber(-0.25, 2)).toBe("−0.25");
    expect(formatNumber(-0.001, 2)).toBe("0.00");
  });

  it("are a dash where there is none, and ∞ where a fit reached nothing", () => {
    expect(formatNumber(NaN, 2)).toBe("–");
    expect(formatNumber(null)).toBe("–");
    expect(formatNumber(Infinity, 2)).toBe("∞");
  });

  it("carry their unit as the field writes it", () => {
    expect(withUnit(1.2345, "µm", 2)).toBe("1.23\u202fµm");
    expect(withUnit(45, "°", 1)).toBe("45.0°");
    expect(withUnit(NaN, "Å", 2)).toBe("–");
    expect(withUnit(17, "")).toBe("17");
  });
});

it.each([
  [3.21, "3.2 s"],
  [59.4, "59 s"],
  [0.0124, "12 ms"],
  [250, "4 min 10 s"],
  [7500, "2 h 05 min"],
  [200_000, "2 d 08 h"],
  [3599.6, "1 h 00 min"],
])("%d seconds are %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

it.each([
  [0, "0 B"],
  [12_345, "12.3 kB"],
  [999_999, "1.0 MB"],
  [123_456_789_012, "123 GB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes).replace("\u202f", " ")).toBe(text);
});

it("tells times in UTC where the operator wants that, with the date of another day", () => {
  timeZone.value = "UTC";
  const now = new Date("2026-03-02T12:00:00Z");
  expect(formatTime("2026-03-02T01:02:03Z", now)).toBe("01:02:03");
  expect(formatTime("2026-03-01T23:59:59Z", now)).toBe("2026-03-01 23:59:59");
});
