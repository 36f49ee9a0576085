/** The session's state in one sentence. */
import type { Alarm, ProcessingStatus } from "../../api/types";
import { counted, formatNumber, withUnit } from "../../parts/format";

export interface Sentence {
  /** Whether a person should look: "well", "attention" or "rest". */
  mood: "well" | "attention" | "rest";
  text: string;
}

/** What a session is, how fast it goes, how good the last movies are, and what is amiss.
 *
 * `resolutions` are the CTF fits of the last movies in Å; NaN where a movie has none.
 */
export function sessionSentence(
  status: ProcessingStatus,
  alarms: readonly Alarm[],
  resolutions: readonly number[],
): Sentence {
  const open = alarms.filter(({ acknowledged }) => !acknowledged);
  const told = [state(status), ...quality(resolutions)].join(", ");
  const text = open.length > 0 ? `${told}; ${alarmWords(open)}` : told;
  const stopped = !status.isProcessing || status.totalItems === 0 || status.itemsLeft === 0;
  if (open.length > 0 || withoutWorker(status)) return { mood: "attention", text };
  return { mood: stopped ? "rest" : "well", text };
}

function state(status: ProcessingStatus): string {
  const { isProcessing, totalItems, itemsLeft, ratePerHour } = status;
  const waiting = `${counted(itemsLeft, "movie")} ${itemsLeft === 1 ? "waits" : "wait"}`;
  if (!isProcessing) return itemsLeft > 0 ? `Paused: ${waiting}` : "Paused";
  if (totalItems === 0) return "Waiting for the first movie";
  if (withoutWorker(status)) return `Stopped: ${waiting} and there is no worker`;
  if (itemsLeft === 0)
    return totalItems === 1 ? "The one movie is done" : `All ${counted(totalItems, "movie")} are done`;
  if (!ratePerHour) return `Running: the first of ${counted(totalItems, "movie")} is in work`;
  return `Running: ${formatNumber(ratePerHour)} movies an hour`;
}

function withoutWorker({ isProcessing, itemsLeft, workers }: ProcessingStatus): boolean {
  return isProcessing && itemsLeft > 0 && workers === 0;
}

function quality(resolutions: readonly number[]): string[] {
  const known = resolutions.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (known.length === 0) return [];
  const middle = known.length >> 1;
  const median = known.length % 2 ? known[middle]! : (known[middle - 1]! + known[middle]!) / 2;
  const which = known.length === 1 ? "the last movie" : `median of the last ${known.length}`;
  return [`CTF fit ${withUnit(median, "Å", 1)} (${which})`];
}

/** The first alarm without its reason and advice: the list below tells these. */
function alarmWords(open: readonly Alarm[]): string {
  const first = open[0]!.text.split(/[;(]/)[0]!.trim();
  return open.length === 1 ? `one alarm: ${first}` : `${open.length} alarms, first: ${first}`;
}
