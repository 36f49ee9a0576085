/** The workers with the step that each is in. */
import type { RunningTask, Worker } from "../../api/types";
import { Badge, Empty, Panel, Progress, TableHead } from "../../parts/controls";
import { withUnit } from "../../parts/format";
import { hrefOf } from "../../state/route";
import { workers } from "../../state/session";
import { workerState } from "../workers/load";

export function WorkersAtWork({ running }: { running: readonly RunningTask[] }) {
  return (
    <Panel title="Workers">
      {workers.value.length === 0 ? (
        <Empty>
          No worker. Start one: <code>warpcore worker</code>
        </Empty>
      ) : (
        <table class="values at-work">
          <TableHead words={["worker", "state", "movie", "step"]} numbers={["GPU", "memory", "done"]} />
          <tbody>
            {workers.value.map((worker) => (
              <WorkerRow key={worker.id} worker={worker} task={running.find((task) => task.worker === worker.id)} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function WorkerRow({ worker, task }: { worker: Worker; task: RunningTask | undefined }) {
  const { gpuUtilisationPercent, gpuMemoryMb, hostMemoryMb } = worker.load;
  const memoryMb = gpuMemoryMb ?? hostMemoryMb;
  return (
    <tr title={worker.reason || worker.warnings.join("\n") || undefined}>
      <th scope="row">
        <a href={hrefOf("logs", worker.id)}>{worker.id}</a>
        <small>{worker.device}</small>
      </th>
      <td>
        <Badge word={workerState(worker)} />
      </td>
      <td>{task && <a href={hrefOf("movies", task.movie)}>{task.movie}</a>}</td>
      <td class="step">
        {task?.step && (
          <>
            <span>{task.step}</span>
            <Progress value={task.fraction} label={`${task.movie}, ${task.step}`} />
          </>
        )}
      </td>
      <td class="number">{gpuUtilisationPercent === undefined ? "–" : withUnit(gpuUtilisationPercent, "%")}</td>
      <td class="number">{memoryMb === undefined ? "–" : withUnit(memoryMb / 1024, "GiB", 1)}</td>
      <td class="number">{worker.done}</td>
    </tr>
  );
}
