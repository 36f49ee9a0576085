/** Export jobs in words. */
import type { Job, JobState } from "../../api/exports";
import { counted, formatCount } from "../../parts/format";
import { valueWords } from "../../parts/setting_fields";

/** Whether a job has anything left that can be given up. */
export function canCancel(state: JobState): boolean {
  return state === "running" || state === "collecting";
}

/** Whether a job has its own particles.star to download. */
export function hasSummary({ kind, state }: Pick<Job, "kind" | "state">): boolean {
  return kind === "particles" && state === "done";
}

/** What goes with a job that is deleted: "Its folder particles/job-1, with the boxes of 12 movies, is deleted." */
export function deletionWords({ folder, state, done }: Pick<Job, "folder" | "state" | "done">): string {
  const stopped = canCancel(state) ? "It is given up. " : "";
  if (folder === "") return "Its files lie among the session's own, and stay; only the list forgets it.";
  return `${stopped}Its folder ${folder}, with the files of ${counted(done, "movie")}, is deleted.`;
}

/** A job's own settings: "box size 256, invert off". */
export function optionWords(options: Record<string, unknown>): string {
  const told = Object.entries(options).map(([name, value]) => `${name.replaceAll("_", " ")} ${valueWords(value)}`);
  return told.join(", ") || "with the settings of the session";
}

/** How many particles a job has written: "1 204 particles, 31 left out at the edge"; empty where it tells none. */
export function particleWords({ particles, particlesAtEdge }: Pick<Job, "particles" | "particlesAtEdge">): string {
  if (particles === null) return "";
  const written = counted(particles, "particle");
  return particlesAtEdge ? `${written}, ${formatCount(particlesAtEdge)} left out at the edge` : written;
}
