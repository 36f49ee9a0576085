/** Values of a movie by column name: `ctf.defocusUm`. */
import type { ColumnInfo, Movie } from "../api/types";
import { timeZone } from "../state/preferences";
import type { Choice } from "./controls";
import { formatNumber, formatTime, withUnit } from "./format";

/** The measured value of a column in a movie's results; NaN where there is none. */
export function resultValue(movie: Pick<Movie, "results">, column: string): number {
  const [step = "", field = ""] = column.split(".");
  const value = movie.results[step]?.[field];
  return typeof value === "number" ? value : NaN;
}

/** What a column is called where its heading stands alone: with its unit, as some share their heading. */
export function columnTitle(column: Pick<ColumnInfo, "heading" | "unit">): string {
  return `${column.heading} ${unitText(column)}`.trim();
}

/** A column among those of a list to choose from. */
export function columnChoice(column: Pick<ColumnInfo, "name" | "heading" | "unit">): Choice<string> {
  return { value: column.name, text: columnTitle(column) };
}

/** Whether a column holds moments: seconds since 1970, which people read and enter as times. */
export function isMoment(column: Pick<ColumnInfo, "unit"> | undefined): boolean {
  return column?.unit === "UTC";
}

/** A column's unit as it stands in headings; for moments the zone that the operator chose. */
export function unitText(column: Pick<ColumnInfo, "unit">): string {
  if (!isMoment(column)) return column.unit;
  return timeZone.value === "UTC" ? "UTC" : "local time";
}

/** A column's value as text without its unit; moments as times in the operator's zone. */
export function valueText(value: number, column: ColumnInfo | undefined, digits = column?.digits ?? 2): string {
  return isMoment(column) ? formatTime(value * 1000) : formatNumber(value, digits);
}

/** A column's value as text with its unit; moments as times in the operator's zone. */
export function columnText(value: number, column: ColumnInfo | undefined, digits = column?.digits ?? 2): string {
  return isMoment(column) ? valueText(value, column) : withUnit(value, column?.unit ?? "", digits);
}

const MOST_DIGITS: Record<string, number> = { µm: 2, "": 3 };

/** Decimals of a column's values where people read them alone: the fourth of a defocus in µm is 1 Å, which no fit tells. */
export function readDigits({ digits, unit }: Pick<ColumnInfo, "digits" | "unit">): number {
  return Math.min(digits, MOST_DIGITS[unit] ?? digits);
}

/** Seconds since 1970 of a date and time as the browser's field gives it, in the operator's zone; null for none. */
export function enteredMoment(text: string): number | null {
  const seconds = Date.parse(timeZone.value === "UTC" ? `${text}Z` : text) / 1000;
  return Number.isNaN(seconds) ? null : seconds;
}
