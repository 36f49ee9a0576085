/** The settings of steps as fields of a form, from their JSON Schema. */
import type { PropertySchema, SettingsPatch, SettingsSchema } from "../../api/movie";

export type FieldKind = "switch" | "choice" | "number" | "text" | "json";

export interface Field {
  section: string;
  name: string;
  kind: FieldKind;
  /** Whether it may be left empty, which stands for automatic. */
  optional: boolean;
  choices: string[];
  unit: string;
  description: string;
}

/** The fields of a section in order of the schema. */
export function fieldsOf(schema: SettingsSchema, section: string): Field[] {
  const reference = schema.properties[section]?.$ref?.split("/").at(-1) ?? "";
  return Object.entries(schema.$defs[reference]?.properties ?? {}).map(([name, property]) => {
    const forms = property.anyOf ?? [property];
    const form = forms.find(({ type }) => type !== "null") ?? property;
    return {
      section,
      name,
      kind: kindOf(form),
      optional: forms.some(({ type }) => type === "null"),
      choices: form.enum ?? [],
      unit: property.unit ?? "",
      description: property.description ?? "",
    };
  });
}

function kindOf({ type, enum: words }: PropertySchema): FieldKind {
  if (words !== undefined) return "choice";
  if (type === "boolean") return "switch";
  if (type === "number" || type === "integer") return "number";
  return type === "string" ? "text" : "json";
}

/** A value as the form shows it; null is empty. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The value that a text stands for. Throws an Error that says what is wrong. */
export function parsed(text: string, { kind, optional, name }: Field): unknown {
  const trimmed = text.trim();
  if (trimmed === "" && optional) return null;
  if (kind === "switch") return trimmed === "true";
  if (kind === "choice" || kind === "text") return trimmed;
  try {
    const value: unknown = JSON.parse(trimmed);
    if (kind === "json" || typeof value === "number") return value;
  } catch {
    // Told below.
  }
  throw new Error(kind === "number" ? `${name}: give a number` : `${name}: give a list, such as [5, 5]`);
}

/** Settings that differ from those of the session, by section; `texts` are by `section.name`. Throws as `parsed`. */
export function changesOf(
  fields: readonly Field[],
  texts: ReadonlyMap<string, string>,
  present: SettingsPatch,
): SettingsPatch {
  const patch: SettingsPatch = {};
  for (const field of fields) {
    const text = texts.get(`${field.section}.${field.name}`);
    const now = present[field.section]?.[field.name];
    if (text === undefined || text.trim() === textOf(now)) continue;
    patch[field.section] = { ...patch[field.section], [field.name]: parsed(text, field) };
  }
  return patch;
}
