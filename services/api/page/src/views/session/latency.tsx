/** How long the last movies took from found to done, stage by stage. */
import type { StageTime } from "../../api/types";
import { Empty, Panel } from "../../parts/controls";
import { counted, formatDuration } from "../../parts/format";
import { columnByName } from "../../state/session";

const WHOLE = "latency";

/** The column of movies that holds a stage's seconds: that of `at_worker` is `run.atWorkerS`. */
export function stageColumn(stage: string): string {
  return `run.${stage.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())}S`;
}

/** The part of `seconds` in the longest of `stages`, from 0 to 1. */
export function shareOfLongest(seconds: number, stages: readonly StageTime[]): number {
  const longest = Math.max(...stages.map(({ p90Seconds }) => p90Seconds), 0);
  return longest > 0 ? seconds / longest : 0;
}

export function Latency({ stages }: { stages: readonly StageTime[] }) {
  return (
    <Panel title="From found to done">
      {stages.length === 0 ? (
        <Empty>No movie has been done since the scheduler was started; the times come with the next ones.</Empty>
      ) : (
        <Stages stages={stages} />
      )}
    </Panel>
  );
}

function Stages({ stages }: { stages: readonly StageTime[] }) {
  const movies = stages.find(({ stage }) => stage === WHOLE)?.movies ?? 0;
  return (
    <table class="values latency">
      <caption>Median and 90th percentile of the last {counted(movies, "movie")}</caption>
      <tbody>
        {stages.map(({ stage, medianSeconds, p90Seconds }) => {
          const column = columnByName.value.get(stageColumn(stage));
          return (
            <tr key={stage} class={stage === WHOLE ? "whole" : undefined} title={column?.description}>
              <th scope="row">{column?.heading ?? stage}</th>
              <td class="latency-bar" aria-hidden="true">
                <span style={{ width: `${100 * shareOfLongest(p90Seconds, stages)}%` }} />
                <i style={{ width: `${100 * shareOfLongest(medianSeconds, stages)}%` }} />
              </td>
              <td class="number">{formatDuration(medianSeconds)}</td>
              <td class="number">{formatDuration(p90Seconds)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
