/** What a worker uses of its machine, in words. */
import type { WorkerLoad } from "../../api/types";
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
