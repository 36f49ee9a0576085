/** The settings that a step goes by. */
import type { SettingsSchema } from "../api/settings";
import { columnInfos } from "../state/session";
import { type Section, sectionsOf } from "./setting_fields";

/** The sections of the session's steps, in order of the steps. A step is what measures columns. */
export function stepSections(schema: SettingsSchema): Section[] {
  const steps = new Set(columnInfos.value.map(({ step }) => step));
  return sectionsOf(schema).filter(({ name }) => steps.has(name));
}
