/** Export jobs in words. */
import type { JobState } from "../../api/exports";
import { textOf } from "../../parts/setting_fields";

/** Whether a job has anything left that can be given up. */
export function canCancel(state: JobState): boolean {
  return state === "running" || state === "collecting";
}

/** A job's own settings: "box size 256, invert false". */
export function optionWords(options: Record<string, unknown>): string {
  const told = Object.entries(options).map(
    ([name, value]) => `${name.replaceAll("_", " ")} ${textOf(value) || "none"}`,
  );
  return told.join(", ") || "with the settings of the session";
}
