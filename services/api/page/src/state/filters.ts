/** Filters of movies by any column, written as the API's `filter=`: `ctf.defocusUm:0.5..2`, `status:failed`. */
import type { MovieStore } from "./movies";

export type MovieFilter =
  | { column: string; kind: "none" }
  | { column: string; kind: "range"; low: number | null; high: number | null }
  | { column: string; kind: "words"; words: string[] }
  | { column: string; kind: "glob"; pattern: string };

const RANGE = /^([-+\d.eE]*?)\.\.([-+\d.eE]*)$/;

/** The filter that a text names; null where it is none. */
export function parseFilter(text: string): MovieFilter | null {
  const colon = text.indexOf(":");
  if (colon <= 0) return null;
  const column = text.slice(0, colon);
  const what = text.slice(colon + 1);
  if (column === "name") return { column, kind: "glob", pattern: what };
  if (what === "none") return { column, kind: "none" };
  const range = RANGE.exec(what);
  if (range === null) return { column, kind: "words", words: what.split(",") };
  const [low, high] = [edge(range[1]!), edge(range[2]!)];
  return Number.isNaN(low) || Number.isNaN(high) ? null : { column, kind: "range", low, high };
}

function edge(text: string): number | null {
  return text === "" ? null : Number(text);
}

/** The filter as the API and the URL write it. */
export function filterText(filter: MovieFilter): string {
  switch (filter.kind) {
    case "none":
      return `${filter.column}:none`;
    case "range":
      return `${filter.column}:${filter.low ?? ""}..${filter.high ?? ""}`;
    case "words":
      return `${filter.column}:${filter.words.join(",")}`;
    case "glob":
      return `${filter.column}:${filter.pattern}`;
  }
}

/** 1 for each movie that fits all filters, else 0. A column that is not loaded fits none. */
export function matching(store: MovieStore, filters: readonly MovieFilter[]): Uint8Array {
  const fits = new Uint8Array(store.count).fill(1);
  for (const filter of filters) {
    const test = testOf(store, filter);
    for (let row = 0; row < fits.length; row++) if (fits[row] === 1 && !test(row)) fits[row] = 0;
  }
  return fits;
}

function testOf(store: MovieStore, filter: MovieFilter): (row: number) => boolean {
  const column = store.columns.get(filter.column);
  if (column?.kind === "number") {
    const { values } = column;
    if (filter.kind === "none") return (row) => Number.isNaN(values[row]);
    if (filter.kind !== "range") return () => false;
    const low = filter.low ?? -Infinity;
    const high = filter.high ?? Infinity;
    return (row) => values[row]! >= low && values[row]! <= high;
  }
  if (column?.kind === "word") {
    const { codes, words } = column;
    if (filter.kind === "none") return (row) => codes[row] === -1;
    if (filter.kind !== "words") return () => false;
    const wanted = new Set(filter.words.map((word) => words.indexOf(word)).filter((code) => code >= 0));
    return (row) => wanted.has(codes[row]!);
  }
  if (column?.kind === "text" && filter.kind === "glob") {
    const { values } = column;
    const pattern = globPattern(filter.pattern);
    return (row) => pattern.test(values[row] ?? "");
  }
  return () => false;
}

/** A shell pattern as the API reads it: `*` any text, `?` any character, `[…]` and `[!…]` sets. */
export function globPattern(pattern: string): RegExp {
  const parts = pattern.match(/\[!?\]?[^\]]*\]|[\s\S]/gu) ?? [];
  const text = parts.map((part) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    if (part.length > 1 && part.startsWith("["))
      return `[${part
        .slice(1, -1)
        .replace(/^!/, "^")
        .replaceAll(/[\\\]]/g, "\\$&")}]`;
    return part.replace(/[\\^$.*+?()[\]{}|]/, "\\$&");
  });
  return new RegExp(`^${text.join("")}$`, "su");
}
