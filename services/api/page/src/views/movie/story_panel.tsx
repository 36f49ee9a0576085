/** What has happened to a movie: its story, and the workers' lines about it. */
import type { LogLine } from "../../api/documents";
import { Empty, Panel } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import type { Loaded } from "./movie_state";

export function StoryPanel({ log: { value: lines, missing } }: { log: Loaded<LogLine[]> }) {
  return (
    <Panel title="Story">
      {lines === null ? (
        <Empty>{missing || "Loading."}</Empty>
      ) : (
        <ol class="story">
          {lines.map((line, place) => (
            <li key={place} class={line.level}>
              <time dateTime={line.at ?? undefined}>{line.at === null ? "" : formatTime(line.at)}</time>
              <span class="source">{line.source}</span>
              <span>
                {line.text} <small>{whereWords(line)}</small>
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

/** Where something happened: "ctf, lease 7 on host/1"; empty where no task had to do with it. */
export function whereWords({ worker, lease, step }: Pick<LogLine, "worker" | "lease" | "step">): string {
  return [step, lease > 0 ? `lease ${lease} on ${worker}` : ""].filter((part) => part !== "").join(", ");
}
