/** How long the last movies took from found to done, stage by stage. */
import type { StageTime } from "../../api/types";
import { Panel } from "../../parts/controls";
import { counted, formatDuration } from "../../parts/format";

const WHOLE = "latency";
const WORDS: Record<string, string> = {
  incubation: "until whole",
  wait: "waits for a worker",
  at_worker: "at the worker",
  ctf: "CTF",
  latency: "found to done",
};

/** A stage's own name in words: "ctf" is CTF, "at_worker" at the worker. */
export function stageWords(stage: string): string {
  return WORDS[stage] ?? stage.replaceAll("_", " ");
}

/** The part of `seconds` in the longest of `stages`, from 0 to 1. */
export function shareOfLongest(seconds: number, stages: readonly StageTime[]): number {
  const longest = Math.max(...stages.map(({ p90Seconds }) => p90Seconds), 0);
  return longest > 0 ? seconds / longest : 0;
}

export function Latency({ stages }: { stages: readonly StageTime[] }) {
  if (stages.length === 0) return null;
  const movies = stages.find(({ stage }) => stage === WHOLE)?.movies ?? 0;
  return (
    <Panel title="From found to done">
      <table class="values latency">
        <caption>Median and 90th percentile of the last {counted(movies, "movie")}</caption>
        <tbody>
          {stages.map((stage) => (
            <tr key={stage.stage} class={stage.stage === WHOLE ? "whole" : undefined}>
              <th scope="row">{stageWords(stage.stage)}</th>
              <td class="latency-bar" aria-hidden="true">
                <span style={{ width: `${100 * shareOfLongest(stage.p90Seconds, stages)}%` }} />
                <i style={{ width: `${100 * shareOfLongest(stage.medianSeconds, stages)}%` }} />
              </td>
              <td class="number">{formatDuration(stage.medianSeconds)}</td>
              <td class="number">{formatDuration(stage.p90Seconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
