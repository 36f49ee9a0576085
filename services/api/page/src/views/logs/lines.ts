/** Log lines of a worker: the last ones, and those that follow. */

export interface LogLine {
  number: number;
  level: string;
  text: string;
  /** Seconds since 1970-01-01, UTC, by the worker's clock. */
  ts: number;
}

const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/** `kept` with `came` behind, without doubles, at most `most` lines. A worker that began anew counts from 1 again. */
export function joined(kept: readonly LogLine[], came: readonly LogLine[], most: number): LogLine[] {
  const last = kept.at(-1)?.number ?? 0;
  const fresh = came.filter(({ number }) => number > last);
  const began = came.length > 0 && fresh.length === 0 && came.at(-1)!.number < last;
  return (began ? [...came] : [...kept, ...fresh]).slice(-most);
}

/** The lines of at least `level` that hold `text`, in small or capital letters. */
export function chosen(lines: readonly LogLine[], level: string, text: string): LogLine[] {
  const least = LEVELS.indexOf(level);
  const wanted = text.toLowerCase();
  return lines.filter(
    (line) => LEVELS.indexOf(line.level.toUpperCase()) >= least && line.text.toLowerCase().includes(wanted),
  );
}

/** Why none of a log's lines is shown; null: they are still to come. */
export function emptyWords(lines: readonly LogLine[] | null): string {
  if (lines === null) return "Loading.";
  return lines.length === 0 ? "The log is empty so far." : "No line of the log is of this level and holds this text.";
}
