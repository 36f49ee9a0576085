/** Values of a movie by column name: `ctf.defocusUm`. */
import type { ColumnInfo, Movie } from "../api/types";
import type { Choice } from "./controls";
import { formatTime, withUnit } from "./format";

/** The measured value of a column in a movie's results; NaN where there is none. */
export function resultValue(movie: Pick<Movie, "results">, column: string): number {
  const [step = "", field = ""] = column.split(".");
  const value = movie.results[step]?.[field];
  return typeof value === "number" ? value : NaN;
}

/** A column among those of a list to choose from, with its unit: some have the heading of another one. */
export function columnChoice({ name, heading, unit }: Pick<ColumnInfo, "name" | "heading" | "unit">): Choice<string> {
  return { value: name, text: `${heading} ${unit}`.trim() };
}

/** A column's value as text with its unit; moments, which are seconds since 1970, as times. */
export function columnText(value: number, column: ColumnInfo | undefined): string {
  if (column?.unit === "UTC") return formatTime(value * 1000);
  return withUnit(value, column?.unit ?? "", column?.digits ?? 2);
}
