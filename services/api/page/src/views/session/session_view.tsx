/** The session at a glance: its state in a sentence, rate, alarms, workers at work, the newest movie, latency. */
import { api } from "../../api/client";
import type { Order, ProcessingStatus } from "../../api/types";
import { Empty, Panel } from "../../parts/controls";
import { useKeys } from "../../parts/keys";
import { act } from "../../state/notices";
import { hrefOf } from "../../state/route";
import { status, unseenAlarms } from "../../state/session";
import { refreshSession } from "../../state/sync";
import { Latency } from "./latency";
import { LatestMovies, NewestMovie } from "./latest";
import { Notes } from "./notes";
import { attention } from "./sentence";
import { Storage } from "./storage";
import { Summary } from "./summary";
import { WorkersAtWork } from "./workers_at_work";

export function SessionView() {
  const now = status.value;
  useKeys([{ key: "p", operates: true, text: "Start or pause processing", run: () => void startOrPause() }]);
  if (now === null) return <Empty>Waiting for warpcore.</Empty>;
  return (
    <div class="session">
      <Summary status={now} startOrPause={() => void startOrPause()} setOrder={(order) => void setOrder(order)} />
      <Attention holds={now.holds} />
      <div class="session-columns">
        <div>
          <NewestMovie />
          <LatestMovies />
        </div>
        <div>
          <WorkersAtWork running={now.running} />
          <Latency stages={now.latency} />
          <Learnt status={now} />
          <Notes notes={now.notes} />
          <Storage />
        </div>
      </div>
    </div>
  );
}

function startOrPause(): Promise<void> {
  return change(status.peek()?.isProcessing ? api.pause() : api.start());
}

function setOrder(order: Order): Promise<void> {
  return change(api.order(order));
}

function change(changing: Promise<ProcessingStatus>): Promise<void> {
  return act(changing, (now) => {
    status.value = now;
    refreshSession();
  });
}

/** What a person should look at; nothing where all is well. Warnings of the session are alarms too. */
function Attention({ holds }: { holds: readonly string[] }) {
  const lines = attention(holds, unseenAlarms.value);
  if (lines.length === 0) return null;
  return (
    <ul class="attention" aria-label="Alarms">
      {lines.map(({ severity, text }) => (
        <li key={text} class={severity}>
          <a href={hrefOf("alarms")}>{text}</a>
        </li>
      ))}
    </ul>
  );
}

function Learnt({ status: { learnt } }: { status: ProcessingStatus }) {
  if (learnt.length === 0) return null;
  return (
    <Panel title="Learnt from the first movies">
      <ul class="plain">
        {learnt.map(({ step, text, movies, count, failed }) => (
          <li key={step}>
            <b>{step}</b> {text || `${movies.length} of ${count} movies so far`}
            {failed && " (failed)"}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
