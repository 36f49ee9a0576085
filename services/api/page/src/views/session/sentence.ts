/** How to show the sentence with which the session says how it goes. */
import type { Alarm } from "../../api/types";

/** Whether a person should look ("attention"), all is well, or nothing goes on ("rest"). */
export type Mood = "well" | "attention" | "rest";

/** The mood of `well: 212 movies in the last hour …`; alarms that somebody has seen do not count. */
export function moodOf(summary: string, alarms: readonly Alarm[]): Mood {
  const word = summary.split(":", 1)[0];
  if (word === "trouble" || alarms.some(({ acknowledged }) => !acknowledged)) return "attention";
  return word === "well" ? "well" : "rest";
}
