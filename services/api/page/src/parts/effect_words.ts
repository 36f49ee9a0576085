/** What a change of settings does, in words. */
import type { SettingsEffect } from "../api/settings";
import { counted } from "./format";

const NAMES: Record<string, string> = { ctf: "CTF" };

function named(steps: readonly string[]): string {
  const names = steps.map((step) => NAMES[step] ?? step);
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : (names[0] ?? "");
}

/** One sentence: "CTF and picking of 412 movies will run again, 38 kept results fit, motion stays".
 *
 * `steps` are those of the session, in order.
 */
export function effectWords(effect: SettingsEffect, steps: readonly string[]): string {
  const told = [...runWords(effect.runs)];
  if (effect.kept > 0) told.push(`${counted(effect.kept, "kept result")} ${effect.kept === 1 ? "fits" : "fit"}`);
  const staying = steps.filter((step) => !effect.runs[step]);
  if (effect.movies > 0 && staying.length > 0) {
    told.push(`${named(staying)} ${staying.length === 1 ? "stays" : "stay"}`);
  }
  if (effect.rejected > 0) told.push(`the filter takes out ${counted(effect.rejected, "movie")}`);
  if (effect.accepted > 0) told.push(`the filter lets ${counted(effect.accepted, "movie")} in again`);
  if (effect.retried > 0) {
    told.push(`${counted(effect.retried, "failed movie")} ${effect.retried === 1 ? "is" : "are"} tried again`);
  }
  return told.join(", ") || "No movie with results is touched";
}

/** Steps that equally many movies run stand together. */
function* runWords(runs: SettingsEffect["runs"]): Generator<string> {
  const byCount = new Map<number, string[]>();
  for (const [step, count] of Object.entries(runs)) {
    if (count > 0) byCount.set(count, [...(byCount.get(count) ?? []), step]);
  }
  for (const [count, steps] of byCount) yield `${named(steps)} of ${counted(count, "movie")} will run again`;
}
