/** What a movie is processed with and who told it, and where it was recorded, in words. */
import type { MovieDetails, ResolvedValue } from "../../api/types";
import { decimalsIn, withUnit } from "../../parts/format";
import type { Field } from "../../parts/setting_fields";

export interface ProcessedValue {
  /** The setting: `ctf.voltage`. */
  name: string;
  label: string;
  description: string;
  text: string;
  source: string;
  /** What contradicts it; empty: nothing. */
  conflict: string;
}

/** What the movie may tell itself; names, units and meanings are those of the settings, which `fields` hold. */
export function processedValues(resolved: readonly ResolvedValue[], fields: readonly Field[]): ProcessedValue[] {
  return resolved.flatMap(({ name, value, source, conflict }) => {
    const field = fields.find((one) => one.name === name);
    if (field === undefined) return [];
    const text = withUnit(value, field.unit, value === null ? 0 : decimalsIn(value));
    return [{ name, label: field.label, description: field.description, text, source: sourceWords(source), conflict }];
  });
}

const METADATA = "metadata: ";
const SOURCES: Record<string, string> = { setting: "set", header: "from the header", "": "nobody tells it" };

/** Who told a value: "from metadata m1.xml", "set", "from the header", "assumed". */
export function sourceWords(source: string): string {
  return source.startsWith(METADATA) ? `from metadata ${source.slice(METADATA.length)}` : (SOURCES[source] ?? source);
}

const PLACES = ["grid", "square", "hole", "area", "shot"] as const;

/** The optics group, and as much of the place as the metadata tell: each `[name, value]`. */
export function placeFacts({
  opticsGroup,
  acquisition,
}: Pick<MovieDetails, "opticsGroup" | "acquisition">): [string, string][] {
  const told = PLACES.flatMap((place): [string, string][] => {
    const id = acquisition[place];
    return id === undefined ? [] : [[place, id]];
  });
  return [["optics group", String(opticsGroup)], ...told];
}
