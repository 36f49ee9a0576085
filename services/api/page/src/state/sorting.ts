/** The order of movies by any columns, written as the API's `sort=`: `-ctf.resolutionAngstrom,name`. */
import type { MovieStore } from "./movies";

export interface SortKey {
  column: string;
  descending: boolean;
}

export function parseSort(text: string): SortKey[] {
  return text
    .split(",")
    .filter((key) => key !== "" && key !== "-")
    .map((key) =>
      key.startsWith("-") ? { column: key.slice(1), descending: true } : { column: key, descending: false },
    );
}

export function sortText(keys: readonly SortKey[]): string {
  return keys.map(({ column, descending }) => (descending ? `-${column}` : column)).join(",");
}

/** The keys after a click on a column: turned round where it is the first key, else put first. `more` keeps the others. */
export function sortedBy(keys: readonly SortKey[], column: string, more: boolean): SortKey[] {
  const present = keys.find((key) => key.column === column);
  if (more && present) return keys.map((key) => (key === present ? { column, descending: !key.descending } : key));
  if (more) return [...keys, { column, descending: false }];
  return [{ column, descending: keys[0] === present && present !== undefined ? !present.descending : false }];
}

/** The rows with a 1 in `included`, in order. Movies without a value come last in both directions, equal ones as found. */
export function sortedRows(store: MovieStore, included: Uint8Array, keys: readonly SortKey[]): Uint32Array {
  const rows = new Uint32Array(included.length);
  let count = 0;
  for (let row = 0; row < included.length; row++) if (included[row] === 1) rows[count++] = row;
  const found = rows.slice(0, count);
  const [first] = keys;
  if (first === undefined || (keys.length === 1 && first.column === "added")) {
    return first?.descending ? found.reverse() : found;
  }
  const places = keys.map((key) => placesOf(store, key));
  return found.sort((a, b) => {
    for (const place of places) {
      const difference = place[a]! - place[b]!;
      // Two infinite places differ by NaN: both movies have no value.
      if (difference !== 0 && !Number.isNaN(difference)) return difference;
    }
    return a - b;
  });
}

/** Where each row stands by one key: a number that grows along the order, infinite where there is no value. */
function placesOf(store: MovieStore, { column, descending }: SortKey): Float64Array {
  const stored = store.columns.get(column === "added" ? "id" : column);
  const places = new Float64Array(store.count).fill(Infinity);
  if (stored === undefined) return places;
  const sign = descending ? -1 : 1;
  if (stored.kind === "number") {
    for (let row = 0; row < places.length; row++)
      if (!Number.isNaN(stored.values[row])) places[row] = sign * stored.values[row]!;
    return places;
  }
  const rankOf = stored.kind === "word" ? wordRanks(stored.words, stored.codes) : textRanks(stored.values);
  for (let row = 0; row < places.length; row++) {
    const rank = rankOf(row);
    if (rank >= 0) places[row] = sign * rank;
  }
  return places;
}

function wordRanks(words: readonly string[], codes: Int16Array): (row: number) => number {
  const ranks = ranksOf(words);
  return (row) => ranks[codes[row]!] ?? -1;
}

let ranked: { texts: readonly string[]; count: number; ranks: Uint32Array } | null = null;

/** Ranks of names, kept while no movie is added: names never change, and to sort them takes long. */
function textRanks(texts: readonly string[]): (row: number) => number {
  if (ranked?.texts !== texts || ranked.count !== texts.length) {
    ranked = { texts, count: texts.length, ranks: ranksOf(texts) };
  }
  const { ranks } = ranked;
  return (row) => ranks[row] ?? -1;
}

function ranksOf(texts: readonly string[]): Uint32Array {
  const order = Uint32Array.from(texts.keys());
  order.sort((a, b) => (texts[a]! < texts[b]! ? -1 : texts[a]! > texts[b]! ? 1 : 0));
  const ranks = new Uint32Array(texts.length);
  for (let place = 0; place < order.length; place++) ranks[order[place]!] = place;
  return ranks;
}
