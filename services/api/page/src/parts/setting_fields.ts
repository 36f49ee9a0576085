/** Settings as fields of a form: what each may be, its value as text, and the text as a value again. */
import type { Revision, Sections, SettingSchema, SettingsSchema } from "../api/settings";

export type FieldKind = "switch" | "choice" | "choices" | "number" | "integer" | "text" | "list" | "json";

export interface Field {
  /** As files and the command line write it: `ctf.range_max`. */
  name: string;
  section: string;
  label: string;
  kind: FieldKind;
  /** Whether it may be empty, which is null. */
  optional: boolean;
  /** What stands in the form where it is empty: "from metadata". */
  unset: string;
  choices: string[];
  unit: string;
  description: string;
  initial: unknown;
  /** Its range in words; empty where nothing limits it. */
  range: string;
  /** Of a number, or of the numbers of a list. */
  limits: SettingSchema;
  /** Whether a list holds numbers. */
  numeric: boolean;
}

export interface Section {
  name: string;
  description: string;
  fields: Field[];
}

/** All sections with their fields, in the schema's order. */
export function sectionsOf(schema: SettingsSchema): Section[] {
  return Object.entries(schema.properties).map(([name, { $ref }]) => {
    const { description = "", properties } = schema.$defs[$ref.split("/").at(-1) ?? ""] ?? { properties: {} };
    return {
      name,
      description: withoutNull(description),
      fields: Object.entries(properties).map(([key, one]) => fieldOf(name, key, one)),
    };
  });
}

function fieldOf(section: string, key: string, declared: SettingSchema): Field {
  const parts = declared.anyOf ?? [declared];
  const schema = parts.find(({ type }) => type !== "null") ?? declared;
  const limits = schema.items ?? schema;
  return {
    name: `${section}.${key}`,
    section,
    label: key.replaceAll("_", " "),
    kind: kindOf(schema),
    optional: parts.some(({ type }) => type === "null"),
    unset: declared.unset ?? "none",
    choices: (limits.enum ?? []).map(String),
    unit: declared.unit ?? "",
    description: withoutNull(declared.description ?? ""),
    initial: declared.default,
    range: rangeWords(limits),
    limits,
    numeric: limits.type === "number" || limits.type === "integer",
  };
}

/** A description in the words of the page, whose fields are empty, "none", where files write null; code stays. */
function withoutNull(description: string): string {
  const parts = description.split("`");
  return parts.map((part, place) => (place % 2 ? part : part.replace(/\bnull\b/g, "none"))).join("`");
}

function kindOf(schema: SettingSchema): FieldKind {
  if (schema.type === "boolean") return "switch";
  if (schema.type === "array") return schema.items?.enum ? "choices" : "list";
  if (schema.enum) return "choice";
  if (schema.type === "number" || schema.type === "integer") return schema.type;
  return schema.type === "string" ? "text" : "json";
}

/** A range in words: "128 to 4096, a multiple of 2", "above 0". */
export function rangeWords(schema: SettingSchema): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const low = minimum ?? exclusiveMinimum;
  const high = maximum ?? exclusiveMaximum;
  const above = exclusiveMinimum !== undefined ? "above " : "";
  const below = exclusiveMaximum !== undefined ? "below " : "";
  const words = [];
  if (low !== undefined && high !== undefined) words.push(`${above}${low} to ${below}${high}`);
  else if (low !== undefined) words.push(above ? `above ${low}` : `from ${low} on`);
  else if (high !== undefined) words.push(below ? `below ${high}` : `up to ${high}`);
  if (multipleOf !== undefined) words.push(`a multiple of ${multipleOf}`);
  return words.join(", ");
}

/** A value as the form shows it; null is empty. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A value as it is told: null is "none", or what it stands for. */
export function valueWords(value: unknown, unset = "none"): string {
  if (value === true) return "on";
  if (value === false) return "off";
  return textOf(value) || unset;
}

export type Parsed = { value: unknown } | { problem: string };

/** What a field's text means, or why it means nothing. */
export function parse(field: Field, text: string): Parsed {
  const trimmed = text.trim();
  if (trimmed === "" && field.optional) return { value: null };
  switch (field.kind) {
    case "switch":
      return { value: trimmed === "true" };
    case "choice": {
      const numbers = field.numeric ? parseNumber(field, trimmed) : { value: trimmed };
      return field.choices.includes(trimmed) ? numbers : { problem: `one of ${field.choices.join(", ")}` };
    }
    case "number":
    case "integer":
      return parseNumber(field, trimmed);
    case "list":
    case "choices":
      return parseList(field, trimmed);
    case "json":
      return parseJson(trimmed);
    case "text":
      return { value: text };
  }
}

function parseNumber({ limits }: Field, text: string): Parsed {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) return { problem: "not a number" };
  if (limits.type === "integer" && !Number.isInteger(value)) return { problem: "not a whole number" };
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum, exclusiveMaximum, multipleOf } = limits;
  const inside =
    value >= minimum &&
    value <= maximum &&
    value > (exclusiveMinimum ?? -Infinity) &&
    value < (exclusiveMaximum ?? Infinity) &&
    (multipleOf === undefined || value % multipleOf === 0);
  return inside ? { value } : { problem: `must be ${rangeWords(limits)}` };
}

function parseList(field: Field, text: string): Parsed {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const parsed = parts.map((part) => (field.numeric ? parseNumber(field, part) : { value: part }));
  const wrong = parsed.find((one) => "problem" in one);
  return wrong ?? { value: parsed.map((one) => ("value" in one ? one.value : null)) };
}

function parseJson(text: string): Parsed {
  try {
    return { value: JSON.parse(text || "{}") };
  } catch {
    return { problem: "not JSON" };
  }
}

/** Whether two values of a setting are the same. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The value of a setting among settings by section; undefined where there is none. */
export function settingIn(settings: Sections, name: string): unknown {
  const [section = "", key = ""] = name.split(".");
  return settings[section]?.[key];
}

/** What `changes` change of `settings`: the old and the new value of each that differs, by name. */
export function changedFrom(settings: Sections, changes: Sections): Revision["changed"] {
  const changed = named(changes).map(([name, value]) => [name, [settingIn(settings, name), value]] as const);
  return Object.fromEntries(changed.filter(([, [old, value]]) => !same(old, value)));
}

/** Settings with their values: `["ctf.range_max = 6"]`. */
export function assignments(settings: Sections): string[] {
  return named(settings).map(([name, value]) => `${name} = ${valueWords(value)}`);
}

/** All of `settings` with their values. */
function named(settings: Sections): [name: string, value: unknown][] {
  return Object.entries(settings).flatMap(([section, values]) =>
    Object.entries(values).map(([key, value]): [string, unknown] => [`${section}.${key}`, value]),
  );
}

/** What edited texts change of `settings`, and what is wrong with them, by name. */
export function changesOf(
  fields: readonly Field[],
  settings: Sections,
  texts: ReadonlyMap<string, string>,
): { changes: Sections; problems: Map<string, string> } {
  const changes: Sections = {};
  const problems = new Map<string, string>();
  for (const field of fields) {
    const text = texts.get(field.name);
    if (text === undefined) continue;
    const parsed = parse(field, text);
    if ("problem" in parsed) problems.set(field.name, parsed.problem);
    else if (!same(parsed.value, settingIn(settings, field.name))) {
      changes[field.section] = {
        ...changes[field.section],
        [field.name.slice(field.section.length + 1)]: parsed.value,
      };
    }
  }
  return { changes, problems };
}
