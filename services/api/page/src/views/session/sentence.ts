/** How to show the sentence with which the session says how it goes, and its alarms. */
import type { Alarm } from "../../api/types";

/** Whether a person should look ("attention"), or at once ("critical"), all is well, or nothing goes on ("rest"). */
export type Mood = "well" | "attention" | "critical" | "rest";

/** The mood of `well: 212 movies in the last hour …` with the alarms that nobody has seen yet. */
export function moodOf(summary: string, unseen: readonly Alarm[]): Mood {
  if (anyCritical(unseen)) return "critical";
  const word = summary.split(":", 1)[0];
  if (word === "trouble" || unseen.length > 0) return "attention";
  return word === "well" ? "well" : "rest";
}

export function anyCritical(alarms: readonly Alarm[]): boolean {
  return alarms.some(({ severity }) => severity === "critical");
}
