/** The session at a glance: its state in a sentence, rate, alarms, workers at work, the newest movie, latency. */
import { api } from "../../api/client";
import type { Order, ProcessingStatus } from "../../api/types";
import { Empty, Panel } from "../../parts/controls";
import { useKeys } from "../../parts/keys";
import { notifyProblem } from "../../state/notices";
import { hrefOf } from "../../state/route";
import { status, unseenAlarms } from "../../state/session";
import { refreshSession } from "../../state/sync";
import { Latency } from "./latency";
import { LatestMovies, NewestMovie } from "./latest";
import { Storage } from "./storage";
import { Summary } from "./summary";
import { WorkersAtWork } from "./workers_at_work";

export function SessionView() {
  const now = status.value;
  useKeys([{ key: "p", text: "Start or pause processing", run: () => void startOrPause() }]);
  if (now === null) return <Empty>Waiting for warpcore.</Empty>;
  return (
    <div class="session">
      <Summary status={now} startOrPause={() => void startOrPause()} setOrder={(order) => void setOrder(order)} />
      <Attention />
      <div class="session-columns">
        <div>
          <NewestMovie />
          <LatestMovies />
        </div>
        <div>
          <WorkersAtWork running={now.running} />
          <Latency stages={now.latency} />
          <Learnt status={now} />
          <Storage />
        </div>
      </div>
    </div>
  );
}

function startOrPause(): Promise<void> {
  return change(status.peek()?.isProcessing ? api.pause : api.start);
}

function setOrder(order: Order): Promise<void> {
  return change(() => api.order(order));
}

async function change(request: () => Promise<ProcessingStatus>): Promise<void> {
  try {
    status.value = await request();
    refreshSession();
  } catch (error) {
    notifyProblem(error);
  }
}

/** Alarms that nobody has seen yet; nothing where all is well. Warnings of the session are alarms too. */
function Attention() {
  if (unseenAlarms.value.length === 0) return null;
  return (
    <ul class="attention" aria-label="Alarms">
      {unseenAlarms.value.map(({ id, severity, text }) => (
        <li key={id} class={severity}>
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
