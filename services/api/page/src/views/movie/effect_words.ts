/** What a change of settings would do, in words. */
import type { SettingsEffect } from "../../api/movie";
import { counted } from "../../parts/format";

/** One sentence for each thing that a change does. */
export function effectWords({ runs, movies, kept, rejected, accepted, retried }: SettingsEffect): string[] {
  const steps = Object.entries(runs).filter(([, count]) => count > 0);
  const words: string[] = [];
  if (movies > 0) {
    const which = steps.map(([step, count]) => (count === movies ? step : `${step} of ${counted(count, "movie")}`));
    words.push(`${counted(movies, "movie")} will run again: ${which.join(", ")}.`);
  }
  if (kept > 0) words.push(`${counted(kept, "movie")} will get earlier results back; nothing runs for them.`);
  if (rejected > 0) words.push(`The filter will take ${counted(rejected, "movie")} out.`);
  if (accepted > 0) words.push(`The filter will take ${counted(accepted, "movie")} back in.`);
  if (retried > 0) words.push(`${counted(retried, "failed movie")} will be tried again.`);
  return words.length > 0 ? words : ["No movie changes; movies to come go by the new settings."];
}
