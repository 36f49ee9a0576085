/** How to show the sentence with which the session says how it goes, why it holds, and its alarms. */
import type { Alarm, ProcessingStatus } from "../../api/types";

/** Whether a person should look ("attention"), or at once ("critical"), all is well, or nothing goes on ("rest"). */
export type Mood = "well" | "attention" | "critical" | "rest";

const MOODS: Record<string, Mood> = { well: "well", trouble: "attention", holding: "attention" };

/** The mood of `well: 212 movies in the last hour …` with the alarms that nobody has seen yet. */
export function moodOf(summary: string, unseen: readonly Alarm[]): Mood {
  if (anyCritical(unseen)) return "critical";
  if (unseen.length > 0) return "attention";
  return MOODS[summary.split(":", 1)[0]!] ?? "rest";
}

export function anyCritical(alarms: readonly Alarm[]): boolean {
  return alarms.some(({ severity }) => severity === "critical");
}

/** The session's state as a word of badges: a person, or the session itself, has paused it, or its storage holds it. */
export function sessionState({ isProcessing, holds }: Pick<ProcessingStatus, "isProcessing" | "holds">): string {
  if (!isProcessing) return "paused";
  return holds.length > 0 ? "on_hold" : "running";
}

/** A line that a person should read, as severe as an alarm. */
export type Line = Pick<Alarm, "severity" | "text">;

/** Alarms that say why the session holds, by the beginning of their ids. Their texts may be some seconds older. */
const OF_HOLDS = /^(disk|storage):/;

/** Why the session holds, as long as it does, then the alarms that nobody has seen yet and that say something else. */
export function attention(holds: readonly string[], unseen: readonly Alarm[]): Line[] {
  const held = holds.map((text): Line => ({ severity: "critical", text: `on hold: ${text}` }));
  const told = (alarm: Alarm) => held.length > 0 && alarm.severity === "critical" && OF_HOLDS.test(alarm.id);
  return [...held, ...unseen.filter((alarm) => !told(alarm))];
}
