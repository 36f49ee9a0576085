import { describe, expect, it } from "vitest";
import { decodeSeries } from "../src/api/series";
import { MovieStore } from "../src/state/movies";
import { seriesBytes, type TestSeries } from "./series_bytes";

const FIRST: TestSeries = {
  seq: 5,
  epoch: "e1",
  full: true,
  columns: [
    { name: "id", kind: "u32", values: [7, 9, 4_000_000_000] },
    { name: "name", kind: "text", values: ["a", "grid1/ä", "c"] },
    { name: "status", kind: "word", words: ["processed", "failed"], values: [0, 1, 255] },
    { name: "ctf.defocusUm", kind: "number", digits: 4, values: [1.2345, null, -0.0001] },
  ],
};

function stored(...answers: TestSeries[]): MovieStore {
  const store = new MovieStore();
  for (const answer of answers) store.apply(decodeSeries(seriesBytes(answer)));
  return store;
}

describe("a full answer", () => {
  it("gives each movie its values", () => {
    const store = stored(FIRST);
    expect(store.count).toBe(3);
    expect([...store.numbers("ctf.defocusUm")!]).toEqual([1.2345, NaN, -0.0001]);
    expect([0, 1, 2].map((row) => store.text("status", row))).toEqual(["processed", "failed", ""]);
    expect(store.text("name", 1)).toBe("grid1/ä");
    expect(store.row(4_000_000_000)).toBe(2);
    expect(store.rowOfName("c")).toBe(2);
  });

  it("takes the place of all before", () => {
    const store = stored(FIRST, { ...FIRST, columns: [{ name: "id", kind: "u32", values: [1] }] });
    expect(store.count).toBe(1);
    expect(store.row(7)).toBe(-1);
    expect(store.numbers("ctf.defocusUm")).toBeUndefined();
  });
});

describe("an answer with changes", () => {
  const changes: TestSeries = {
    seq: 6,
    epoch: "e1",
    full: false,
    columns: [
      { name: "id", kind: "u32", values: [9, 12] },
      { name: "status", kind: "word", words: ["queued", "processed"], values: [1, 0] },
      { name: "ctf.defocusUm", kind: "number", digits: 4, values: [2, null] },
    ],
  };

  it("changes those rows, adds new ones and leaves the others", () => {
    const store = stored(FIRST, changes);
    expect(store.count).toBe(4);
    expect([...store.numbers("ctf.defocusUm")!]).toEqual([1.2345, 2, -0.0001, NaN]);
    expect([0, 1, 2, 3].map((row) => store.text("status", row))).toEqual(["processed", "processed", "", "queued"]);
    expect(store.seq).toBe(6);
  });

  it("keeps old values when the arrays grow", () => {
    const many = Array.from({ length: 5000 }, (_, place) => 100 + place);
    const store = stored(FIRST, {
      ...changes,
      columns: [
        { name: "id", kind: "u32", values: many },
        { name: "ctf.defocusUm", kind: "number", digits: 0, values: many },
      ],
    });
    expect(store.number("ctf.defocusUm", 0)).toBe(1.2345);
    expect(store.number("ctf.defocusUm", 5002)).toBe(5099);
    expect(store.text("status", 5002)).toBe("");
  });
});

describe("further columns", () => {
  const more: TestSeries = {
    seq: 8,
    epoch: "e1",
    full: true,
    columns: [
      { name: "id", kind: "u32", values: [7, 9, 4_000_000_000, 11] },
      { name: "ctf.iceRing", kind: "number", digits: 1, values: [1, 2, 3, 4] },
    ],
  };

  it("stand beside the others, and changes since the older answer are still to come", () => {
    const store = stored(FIRST);
    store.addColumns(decodeSeries(seriesBytes(more)));
    expect([...store.numbers("ctf.iceRing")!]).toEqual([1, 2, 3, 4]);
    expect([...store.numbers("ctf.defocusUm")!]).toEqual([1.2345, NaN, -0.0001, NaN]);
    expect(store.seq).toBe(5);
  });

  it("of another session are left out", () => {
    const store = stored(FIRST);
    store.addColumns(decodeSeries(seriesBytes({ ...more, epoch: "e2" })));
    expect(store.count).toBe(3);
    expect(store.numbers("ctf.iceRing")).toBeUndefined();
  });
});

it("refuses what is no series", () => {
  expect(() => decodeSeries(new TextEncoder().encode("<html>  ").buffer as ArrayBuffer)).toThrow("not a series");
});
