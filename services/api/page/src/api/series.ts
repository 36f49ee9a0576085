/** The binary answer of `/api/series`: columns of movies as typed arrays. docs/rest.md describes its layout. */

export type SeriesKind = "u32" | "number" | "word" | "text";

interface ColumnHeader {
  name: string;
  kind: SeriesKind;
  offset: number;
  bytes: number;
  digits?: number;
  width?: 1 | 2;
  words?: string[];
}

interface Header {
  seq: number;
  epoch: string;
  full: boolean;
  count: number;
  total: number;
  columns: ColumnHeader[];
}

/** A column's values, one for each movie. Numbers that are missing are NaN, words that are missing point past `words`. */
export type SeriesColumn =
  | { kind: "u32"; values: Uint32Array }
  | { kind: "number"; values: Float64Array; digits: number }
  | { kind: "word"; values: Uint8Array | Uint16Array; words: string[] }
  | { kind: "text"; values: string[] };

/** Movies by column. Where `full` is false, only those that changed since the number that was asked for. */
export interface Series {
  seq: number;
  epoch: string;
  full: boolean;
  count: number;
  total: number;
  columns: Map<string, SeriesColumn>;
}

export const SERIES_TYPE = "application/vnd.warpcore.series";
const MAGIC = "WCS1";
const MISSING = -2147483648;

/** Reads an answer of `/api/series`. Throws an Error where it is none. */
export function decodeSeries(buffer: ArrayBuffer): Series {
  const magic = new TextDecoder().decode(buffer.slice(0, 4));
  if (magic !== MAGIC) throw new Error(`not a series: it begins with ${JSON.stringify(magic)}`);
  const length = new DataView(buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as Header;
  const columns = new Map<string, SeriesColumn>();
  for (const column of header.columns) {
    columns.set(column.name, decodeColumn(buffer, 8 + length + column.offset, header.count, column));
  }
  const { seq, epoch, full, count, total } = header;
  return { seq, epoch, full, count, total, columns };
}

function decodeColumn(buffer: ArrayBuffer, start: number, count: number, column: ColumnHeader): SeriesColumn {
  const bytes = buffer.slice(start, start + column.bytes);
  switch (column.kind) {
    case "u32":
      return { kind: "u32", values: new Uint32Array(bytes) };
    case "number":
      return {
        kind: "number",
        values: joinPlanes(new Uint8Array(bytes), count, column.digits ?? 0),
        digits: column.digits ?? 0,
      };
    case "word":
      return {
        kind: "word",
        values: column.width === 2 ? new Uint16Array(bytes) : new Uint8Array(bytes),
        words: column.words ?? [],
      };
    case "text":
      return { kind: "text", values: count === 0 ? [] : new TextDecoder().decode(bytes).split("\n") };
  }
}

/** Numbers from their four byte planes, lowest bytes first: value = integer / 10^digits. */
function joinPlanes(planes: Uint8Array, count: number, digits: number): Float64Array {
  const values = new Float64Array(count);
  const factor = 10 ** digits;
  for (let i = 0; i < count; i++) {
    const quantised =
      planes[i]! | (planes[count + i]! << 8) | (planes[2 * count + i]! << 16) | (planes[3 * count + i]! << 24);
    values[i] = quantised === MISSING ? NaN : quantised / factor;
  }
  return values;
}
