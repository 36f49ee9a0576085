/** Filters of the list in words, and from what an operator has entered. */
import type { ColumnInfo } from "../../api/types";
import { decimalsIn } from "../../parts/format";
import { columnWords } from "../../parts/state_words";
import { columnText, enteredMoment, isMoment, valueText } from "../../parts/values";
import type { MovieFilter } from "../../state/filters";

/** "defocus 0.5 to 2.0 µm", "status failed or queued", "no resolution". */
export function filterWords(filter: MovieFilter, column: ColumnInfo | undefined): string {
  const heading = column?.heading ?? filter.column;
  switch (filter.kind) {
    case "none":
      return `no ${heading}`;
    case "words":
      return `${heading} ${filter.words.map((word) => columnWords(word, filter.column)).join(" or ")}`;
    case "glob":
      return `${heading} ${filter.pattern}`;
    case "range": {
      const text = (value: number) => columnText(value, column, decimalsIn(value));
      if (filter.low === null) return `${heading} ≤ ${text(filter.high ?? Infinity)}`;
      if (filter.high === null) return `${heading} ≥ ${text(filter.low)}`;
      return `${heading} ${valueText(filter.low, column, decimalsIn(filter.low))} to ${text(filter.high)}`;
    }
  }
}

/** The filter that was entered: `none`, `low`, `high`, `pattern` and a `word …` for each word; null while it says nothing. */
export function filterFrom(column: ColumnInfo, entry: Readonly<Record<string, string>>): MovieFilter | null {
  const { name, kind } = column;
  if (entry.none === "yes") return { column: name, kind: "none" };
  if (kind === "text") return entry.pattern ? { column: name, kind: "glob", pattern: entry.pattern } : null;
  if (kind === "word") {
    const words = Object.keys(entry)
      .filter((key) => key.startsWith("word ") && entry[key] === "yes")
      .map((key) => key.slice("word ".length));
    return words.length > 0 ? { column: name, kind: "words", words } : null;
  }
  const [low, high] = isMoment(column)
    ? [enteredMoment(entry.low ?? ""), endOfSecond(enteredMoment(entry.high ?? ""))]
    : [entered(entry.low), entered(entry.high)];
  return low === null && high === null ? null : { column: name, kind: "range", low, high };
}

function entered(text: string | undefined): number | null {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) ? value : null;
}

/** Times are entered and shown by whole seconds: the last one that was entered counts as a whole. */
function endOfSecond(seconds: number | null): number | null {
  return seconds === null ? null : seconds + 0.999;
}
