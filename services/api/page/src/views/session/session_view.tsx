/** The session at a glance: state and rate, alarms, workers at work, the newest movie and the last values. */
import { api } from "../../api/client";
import type { ProcessingStatus } from "../../api/types";
import { Empty, Panel } from "../../parts/controls";
import { useKeys } from "../../parts/keys";
import { notifyProblem } from "../../state/notices";
import { alarms, status } from "../../state/session";
import { refreshSession } from "../../state/sync";
import { LatestMovies, NewestMovie } from "./latest";
import { Summary } from "./summary";
import { WorkersAtWork } from "./workers_at_work";

export function SessionView() {
  const now = status.value;
  useKeys([{ key: "p", text: "Start or pause processing", run: () => void startOrPause() }]);
  if (now === null) return <Empty>Waiting for warpcore.</Empty>;
  return (
    <div class="session">
      <Summary status={now} startOrPause={() => void startOrPause()} />
      <Attention status={now} />
      <div class="session-columns">
        <div>
          <NewestMovie />
          <LatestMovies />
        </div>
        <div>
          <WorkersAtWork running={now.running} />
          <Learnt status={now} />
        </div>
      </div>
    </div>
  );
}

async function startOrPause(): Promise<void> {
  try {
    status.value = await (status.peek()?.isProcessing ? api.pause() : api.start());
    refreshSession();
  } catch (error) {
    notifyProblem(error);
  }
}

/** Alarms and warnings; nothing where all is well. */
function Attention({ status: { warnings } }: { status: ProcessingStatus }) {
  if (warnings.length === 0 && alarms.value.length === 0) return null;
  return (
    <ul class="attention" aria-label="Alarms and warnings">
      {alarms.value.map(({ id, severity, text }) => (
        <li key={id} class={severity}>
          {text}
        </li>
      ))}
      {warnings.map((text) => (
        <li key={text} class="warning">
          {text}
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
