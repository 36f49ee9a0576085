/** All movies of the session, column by column in typed arrays. A row keeps its place: rows are in order of discovery. */
import { signal } from "@preact/signals";
import type { Series, SeriesColumn } from "../api/series";

const FIRST_CAPACITY = 1024;

/** A column as the page keeps it. Numbers are NaN and words -1 where there is no value. */
export type StoredColumn =
  | { kind: "number"; values: Float64Array; digits: number }
  | { kind: "word"; codes: Int16Array; words: string[] }
  | { kind: "text"; values: string[] };

/** Movies by row. `count` rows of each array are in use; arrays are replaced when they grow, so do not keep them. */
export class MovieStore {
  count = 0;
  seq = 0;
  epoch = "";
  readonly columns = new Map<string, StoredColumn>();
  private capacity = FIRST_CAPACITY;
  private readonly rowOfId = new Map<number, number>();

  /** Takes over an answer of `/api/series`: all of a full one, else the rows that changed. */
  apply(series: Series): void {
    if (series.full) this.clear();
    const ids = series.columns.get("id");
    if (ids?.kind !== "u32") throw new Error("a series without ids");
    const rows = this.rowsFor(ids.values);
    for (const [name, column] of series.columns) this.write(name, column, rows);
    this.seq = series.seq;
    this.epoch = series.epoch;
  }

  /** Takes over further columns of all movies. They count as of the changes that are known here, and follow them on. */
  addColumns(series: Series): void {
    if (series.epoch !== this.epoch) return; // The next answer of changes is a full one, with these columns.
    const { seq } = this;
    this.apply({ ...series, full: false });
    this.seq = Math.min(seq, series.seq);
  }

  /** The row of the movie with this id, -1 where there is none. */
  row(id: number): number {
    return this.rowOfId.get(id) ?? -1;
  }

  /** A column's numbers, in use up to `count`; undefined where it is not loaded. */
  numbers(name: string): Float64Array | undefined {
    const column = this.columns.get(name);
    return column?.kind === "number" ? column.values.subarray(0, this.count) : undefined;
  }

  number(name: string, row: number): number {
    const column = this.columns.get(name);
    return column?.kind === "number" && row < this.count ? column.values[row]! : NaN;
  }

  /** The word or text of a row; empty where there is none. */
  text(name: string, row: number): string {
    const column = this.columns.get(name);
    if (column?.kind === "word") return column.words[column.codes[row]!] ?? "";
    return column?.kind === "text" ? (column.values[row] ?? "") : "";
  }

  /** The name of the movie with this id; empty where there is none. */
  nameOf(id: number): string {
    return this.text("name", this.row(id));
  }

  /** The row of the movie with this name, -1 where there is none. It searches: use ids where you can. */
  rowOfName(name: string): number {
    const names = this.columns.get("name");
    return names?.kind === "text" ? names.values.indexOf(name) : -1;
  }

  private clear(): void {
    this.count = 0;
    this.columns.clear();
    this.rowOfId.clear();
  }

  private rowsFor(ids: Uint32Array): Uint32Array {
    const rows = new Uint32Array(ids.length);
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      let row = this.rowOfId.get(id);
      if (row === undefined) {
        row = this.count++;
        this.rowOfId.set(id, row);
      }
      rows[i] = row;
    }
    if (this.count > this.capacity) this.grow();
    return rows;
  }

  private grow(): void {
    while (this.capacity < this.count) this.capacity *= 2;
    for (const column of this.columns.values()) {
      if (column.kind === "number") column.values = grown(column.values, new Float64Array(this.capacity).fill(NaN));
      if (column.kind === "word") column.codes = grown(column.codes, new Int16Array(this.capacity).fill(-1));
    }
  }

  private write(name: string, source: SeriesColumn, rows: Uint32Array): void {
    const column = this.columns.get(name) ?? this.empty(source);
    this.columns.set(name, column);
    if (column.kind === "text" && source.kind === "text") {
      for (let i = 0; i < rows.length; i++) column.values[rows[i]!] = source.values[i]!;
    } else if (column.kind === "word" && source.kind === "word") {
      const codes = source.words.map((word) => codeOf(column.words, word));
      for (let i = 0; i < rows.length; i++) column.codes[rows[i]!] = codes[source.values[i]!] ?? -1;
    } else if (column.kind === "number" && (source.kind === "number" || source.kind === "u32")) {
      for (let i = 0; i < rows.length; i++) column.values[rows[i]!] = source.values[i]!;
    }
  }

  private empty(source: SeriesColumn): StoredColumn {
    if (source.kind === "text") return { kind: "text", values: [] };
    if (source.kind === "word") return { kind: "word", codes: new Int16Array(this.capacity).fill(-1), words: [] };
    const digits = source.kind === "number" ? source.digits : 0;
    return { kind: "number", values: new Float64Array(this.capacity).fill(NaN), digits };
  }
}

function grown<A extends Float64Array | Int16Array>(old: A, larger: A): A {
  larger.set(old);
  return larger;
}

/** The number of a word, which is added where it is new: each answer numbers its words anew. */
function codeOf(words: string[], word: string): number {
  const known = words.indexOf(word);
  return known >= 0 ? known : words.push(word) - 1;
}

/** The session's movies. Read `moviesVersion.value` to be called again when they change. */
export const movies = new MovieStore();

/** Counts the changes of `movies`, one for each answer. */
export const moviesVersion = signal(0);
