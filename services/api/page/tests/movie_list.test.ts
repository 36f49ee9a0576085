import { beforeEach, describe, expect, it } from "vitest";
import { decodeSeries } from "../src/api/series";
import type { ColumnInfo } from "../src/api/types";
import {
  chosenIds,
  currentId,
  currentIndex,
  idsBetween,
  listedRows,
  markedIds,
  stepFrom,
} from "../src/state/movie_list";
import { movies, moviesVersion } from "../src/state/movies";
import { parseRoute, route } from "../src/state/route";
import { mark, marked, unmarkGone } from "../src/state/selection";
import { filterFrom, filterWords } from "../src/views/movies/filter_words";
import { seriesBytes } from "./series_bytes";

const IDS = [11, 12, 13, 14];

beforeEach(() => {
  movies.apply(
    decodeSeries(
      seriesBytes({
        seq: 1,
        epoch: "e",
        full: true,
        columns: [
          { name: "id", kind: "u32", values: IDS },
          { name: "name", kind: "text", values: ["d", "b", "c", "a"] },
          { name: "status", kind: "word", words: ["processed", "failed"], values: [0, 0, 1, 0] },
        ],
      }),
    ),
  );
  moviesVersion.value++;
  route.value = parseRoute("#/movies?sort=name&filter=status:processed");
  currentId.value = -1;
  mark([]);
});

function listed(): number[] {
  return Array.from(listedRows.value, (row) => movies.number("id", row));
}

describe("the list", () => {
  it("has the URL's filter and order, the newest first where it names none", () => {
    expect(listed()).toEqual([14, 12, 11]);
    route.value = parseRoute("#/movies");
    expect(listed()).toEqual([14, 13, 12, 11]);
  });

  it("holds marked movies alone where that is asked for", () => {
    mark([11, 13]);
    route.value = parseRoute("#/movies?only=marked&sort=name");
    expect(listed()).toEqual([13, 11]);
  });

  it("is walked from end to end, from its beginning where the current movie is not in it", () => {
    expect(stepFrom(14, 1)).toBe(12);
    expect(stepFrom(14, -1)).toBe(14);
    expect(stepFrom(14, 99)).toBe(11);
    expect(stepFrom(13, 1)).toBe(14);
    route.value = parseRoute("#/movies?filter=status:lost");
    expect(stepFrom(14, 1)).toBe(-1);
    expect(currentIndex.value).toBe(-1);
  });

  it("gives the movies between two, whichever comes first", () => {
    expect(idsBetween(11, 12)).toEqual([12, 11]);
    expect(idsBetween(14, 13)).toEqual([14]);
  });

  it("acts on marked movies, on the current one where none is marked", () => {
    expect(chosenIds()).toEqual([]);
    currentId.value = 12;
    expect([chosenIds(), markedIds()]).toEqual([[12], []]);
    mark([13, 14]);
    expect([chosenIds(), markedIds()]).toEqual([
      [13, 14],
      [13, 14],
    ]);
  });

  it("loses the marks of movies that the session no longer has", () => {
    mark([11, 13, 99]);
    unmarkGone();
    expect([...marked.value]).toEqual([11, 13]);
  });

  it("never acts on a current movie that nobody sees in it", () => {
    currentId.value = 13;
    expect(listed()).not.toContain(13);
    expect(chosenIds()).toEqual([]);
  });
});

describe("a filter in words", () => {
  const defocus = { name: "ctf.defocusUm", heading: "defocus", unit: "µm", kind: "number" } as ColumnInfo;
  const status = { name: "status", heading: "status", unit: "", kind: "word" } as ColumnInfo;
  const words = (column: ColumnInfo, entry: Record<string, string>) => {
    const filter = filterFrom(column, entry);
    return filter && filterWords(filter, column).replaceAll("\u202f", " ");
  };

  it.each([
    [defocus, { low: "0.5", high: "2" }, "defocus 0.5 to 2 µm"],
    [defocus, { low: "", high: "1.25" }, "defocus ≤ 1.25 µm"],
    [defocus, { low: "-1" }, "defocus ≥ −1 µm"],
    [defocus, { none: "yes", low: "1" }, "no defocus"],
    [status, { "word filtered_out": "yes", "word failed": "yes", "word queued": "" }, "status filtered out or failed"],
    [{ ...status, heading: "movie", kind: "text" }, { pattern: "*grid1*" }, "movie *grid1*"],
    [defocus, { low: "nonsense" }, null],
    [status, {}, null],
  ])("is read from what was entered", (column, entry, text) => expect(words(column, entry)).toBe(text));
});
