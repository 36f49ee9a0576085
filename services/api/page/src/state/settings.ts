/** The settings in force and what each may be, as all views read them; known once a view has loaded them. */
import { computed, signal } from "@preact/signals";
import { type Sections, type SettingsSchema, settingsApi } from "../api/settings";
import { sectionsOf } from "../parts/setting_fields";
import { columnInfos } from "./session";

const schema = signal<SettingsSchema | null>(null);

/** All settings in force; empty until they are known. */
export const settings = signal<Sections>({});

/** All sections with their fields, in the schema's order; empty until `settings` are known too. */
export const sections = computed(() => (schema.value ? sectionsOf(schema.value) : []));

/** The sections of the session's steps, in order of the steps. A step is what measures columns. */
export const stepSections = computed(() => {
  const steps = new Set(columnInfos.value.map(({ step }) => step));
  return sections.value.filter(({ name }) => steps.has(name));
});

/** The session's steps that have settings, in order. */
export const steps = computed(() => stepSections.value.map(({ name }) => name));

/** Load what is in force now, and the schema where it is not known. Throws ProblemError. */
export async function loadSettings(): Promise<void> {
  const [now, known] = await Promise.all([settingsApi.current(), schema.peek() ?? settingsApi.schema()]);
  settings.value = now;
  schema.value = known;
}
