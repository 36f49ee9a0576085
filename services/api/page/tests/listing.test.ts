import { describe, expect, it } from "vitest";
import { decodeSeries } from "../src/api/series";
import { filterText, globPattern, type MovieFilter, matching, parseFilter } from "../src/state/filters";
import { idsOf, idsText } from "../src/state/id_ranges";
import { MovieStore } from "../src/state/movies";
import { parseSort, sortedBy, sortedRows, sortText } from "../src/state/sorting";
import { seriesBytes } from "./series_bytes";

const store = new MovieStore();
store.apply(
  decodeSeries(
    seriesBytes({
      seq: 1,
      epoch: "e",
      full: true,
      columns: [
        { name: "id", kind: "u32", values: [1, 2, 3, 4, 5] },
        { name: "name", kind: "text", values: ["grid2/b", "grid1/a", "c", "grid1/b", "d"] },
        { name: "status", kind: "word", words: ["processed", "failed"], values: [0, 1, 0, 0, 255] },
        { name: "ctf.defocusUm", kind: "number", digits: 2, values: [1.5, null, -0.5, 2, 1.5] },
      ],
    }),
  ),
);

function found(...texts: string[]): number[] {
  const fits = matching(
    store,
    texts.map((text) => parseFilter(text)!),
  );
  return [...fits.keys()].filter((row) => fits[row] === 1);
}

describe("filters", () => {
  it.each([
    ["ctf.defocusUm:1.5..", [0, 3, 4]],
    ["ctf.defocusUm:-1...5", [2]],
    ["ctf.defocusUm:..", [0, 2, 3, 4]],
    ["ctf.defocusUm:none", [1]],
    ["status:processed,failed", [0, 1, 2, 3]],
    ["status:none", [4]],
    ["status:nonsense", []],
    ["name:grid1/*", [1, 3]],
    ["name:[!g]", [2, 4]],
    ["no.such:1..2", []],
  ])("%s finds what the API finds", (text, rows) => expect(found(text)).toEqual(rows));

  it("all hold together", () => expect(found("status:processed", "ctf.defocusUm:1..2")).toEqual([0, 3]));

  it.each<MovieFilter>([
    { column: "a.b", kind: "range", low: -0.25, high: null },
    { column: "a.b", kind: "none" },
    { column: "worker", kind: "words", words: ["host/cuda:0", "host..b/cpu"] },
    { column: "name", kind: "glob", pattern: "a:b*" },
  ])("are read as they were written: %j", (filter) => expect(parseFilter(filterText(filter))).toEqual(filter));

  it.each(["", "status", ":failed", "a:1e..2"])("%j is none", (text) => expect(parseFilter(text)).toBeNull());

  it("take other signs of a pattern as they are", () => {
    expect(globPattern("a.(b)+?").test("a.(b)+c")).toBe(true);
    expect(globPattern("a.b").test("axb")).toBe(false);
    expect(globPattern("*[a-c]").test("xb")).toBe(true);
    expect(globPattern("[").test("[")).toBe(true);
  });
});

describe("sorting", () => {
  const rows = (text: string, included = new Uint8Array(5).fill(1)) => [
    ...sortedRows(store, included, parseSort(text)),
  ];

  it.each([
    ["ctf.defocusUm", [2, 0, 4, 3, 1]],
    ["-ctf.defocusUm", [3, 0, 4, 2, 1]],
    ["ctf.defocusUm,-name", [2, 0, 4, 3, 1]],
    ["ctf.defocusUm,name", [2, 4, 0, 3, 1]],
    ["name", [2, 4, 1, 3, 0]],
    ["status,-added", [1, 3, 2, 0, 4]],
    ["-added", [4, 3, 2, 1, 0]],
    ["no.such", [0, 1, 2, 3, 4]],
  ])("by %s puts movies without a value last", (text, order) => expect(rows(text)).toEqual(order));

  it("takes only what is included", () => expect(rows("-name", Uint8Array.of(1, 0, 1, 0, 0))).toEqual([0, 2]));

  it("turns round with a second click, and keeps the other keys where that is asked for", () => {
    expect(sortText(sortedBy(parseSort("a,b"), "a", false))).toBe("-a");
    expect(sortText(sortedBy(parseSort("-a,b"), "b", false))).toBe("b");
    expect(sortText(sortedBy(parseSort("-a,b"), "b", true))).toBe("-a,-b");
    expect(sortText(sortedBy(parseSort("-a"), "b", true))).toBe("-a,b");
  });
});

describe("marked movies in a link", () => {
  it.each([[[]], [[5]], [[1, 2, 3, 40, 41, 100_000]], [[7, 3, 5]]])("%j come back", (ids) => {
    expect([...idsOf(idsText(ids)!)]).toEqual([...ids].sort((a, b) => a - b));
  });

  it("are short where they follow each other, and none where they are too many", () => {
    expect(idsText(Array.from({ length: 1000 }, (_, place) => place + 12))).toBe("c-rr");
    expect(idsText(Array.from({ length: 50_000 }, (_, place) => place * 2 + 1))).toBeNull();
  });

  it("survive a link that is broken", () => {
    expect([...idsOf("5.%%")]).toEqual([5]);
    expect(idsOf("1-zzzzzzzz").size).toBe(0);
  });
});
