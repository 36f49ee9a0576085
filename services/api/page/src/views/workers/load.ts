/** How a worker is, and what is wrong with it, in words. */
import type { Alarm, Worker, WorkerLoad } from "../../api/types";
import { counted } from "../../parts/format";

const THROTTLING: Record<string, string> = {
  heat: "heat",
  power_cap: "its power limit",
  power_brake: "the host's power supply",
  hardware: "its hardware",
};

/** What is wrong with a worker's GPU now, one line each; nothing where all is well. */
export function gpuTroubles({ gpuEccCorrected, gpuEccUncorrected, gpuThrottling = [] }: WorkerLoad): string[] {
  const troubles = [];
  if (gpuThrottling.length > 0) {
    const reasons = gpuThrottling.map((reason) => THROTTLING[reason] ?? reason.replaceAll("_", " "));
    troubles.push(`slowed down by ${reasons.join(", ")}`);
  }
  if (gpuEccUncorrected) troubles.push(`${counted(gpuEccUncorrected, "memory error")} not corrected: data were wrong`);
  if (gpuEccCorrected) troubles.push(`${counted(gpuEccCorrected, "memory error")} corrected`);
  return troubles;
}

/** A worker's state as a word of badges: one that is idle since it is given no movies is "not used". */
export function workerState({ state, reason }: Pick<Worker, "state" | "reason">): string {
  return state === "idle" && reason !== "" ? "not_used" : state;
}

/** What is wrong with a worker, one line each: what it has noticed itself, and alarms that tell more than that. */
export function troublesOf({ id, reason, load, warnings }: Worker, alarms: readonly Alarm[]): string[] {
  const own = [reason, ...gpuTroubles(load), ...warnings].filter((line) => line !== "");
  const told = alarms.filter(({ subject, text }) => subject === id && !own.some((line) => text.includes(line)));
  return [...own, ...told.map(({ text }) => text)];
}
