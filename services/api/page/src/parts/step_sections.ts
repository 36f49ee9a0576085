/** The settings that a step goes by. */
import type { SettingsSchema } from "../../api/settings";
import { type Section, sectionsOf } from "../../parts/setting_fields";

const NO_STEPS = ["import", "filter"];

/** The sections of the session's steps, in order of the steps. */
export function stepSections(schema: SettingsSchema): Section[] {
  return sectionsOf(schema).filter(({ name }) => !NO_STEPS.includes(name));
}
