/** Answers of /api/series as bytes, for tests. */

export type TestColumn =
  | { name: string; kind: "u32"; values: number[] }
  | { name: string; kind: "number"; digits: number; values: (number | null)[] }
  | { name: string; kind: "word"; words: string[]; values: number[] }
  | { name: string; kind: "text"; values: string[] };

export interface TestSeries {
  seq: number;
  epoch: string;
  full: boolean;
  columns: TestColumn[];
}

export function seriesBytes({ columns, ...rest }: TestSeries): ArrayBuffer {
  const count = columns[0]!.values.length;
  const bodies = columns.map(columnBytes);
  let offset = 0;
  const headers = columns.map(({ values: _, ...column }, place) => {
    const header = { ...column, ...(column.kind === "word" ? { width: 1 } : {}), offset, bytes: bodies[place]!.length };
    offset += Math.ceil(bodies[place]!.length / 8) * 8;
    return header;
  });
  const text = JSON.stringify({ ...rest, count, total: count, columns: headers });
  const header = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const all = new Uint8Array(8 + header.length + offset);
  all.set(new TextEncoder().encode("WCS1"));
  new DataView(all.buffer).setUint32(4, header.length, true);
  all.set(header, 8);
  for (const [place, one] of headers.entries()) all.set(bodies[place]!, 8 + header.length + one.offset);
  return all.buffer;
}

function columnBytes(column: TestColumn): Uint8Array {
  if (column.kind === "u32") return new Uint8Array(Uint32Array.from(column.values).buffer);
  if (column.kind === "word") return Uint8Array.from(column.values);
  if (column.kind === "text") return new TextEncoder().encode(column.values.join("\n"));
  const quantised = Int32Array.from(column.values, (value) =>
    value === null ? -2147483648 : Math.round(value * 10 ** column.digits),
  );
  const bytes = new Uint8Array(quantised.buffer);
  const planes = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) planes[(i % 4) * quantised.length + (i >> 2)] = bytes[i]!;
  return planes;
}
