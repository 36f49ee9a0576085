/** All workers: what each does, what it uses of its machine, and what it has noticed. */
import type { ComponentChildren } from "preact";
import type { RunningTask, Worker } from "../../api/types";
import { Badge, Empty, Facts, Panel, Progress } from "../../parts/controls";
import { formatDuration, withUnit } from "../../parts/format";
import { hrefOf } from "../../state/route";
import { alarms, status, workers } from "../../state/session";
import { troublesOf, workerState } from "./load";
import { Pools } from "./pools_panel";

const SILENT_S = 6;
const IDLE_S = 60;

export function WorkersView() {
  return (
    <div class="workers">
      <Pools />
      <WorkerPanels />
    </div>
  );
}

function WorkerPanels() {
  if (workers.value.length === 0) {
    return (
      <Empty>
        No worker. Start one on a host that sees the data: <code>warpcore worker --scheduler HOST</code>
      </Empty>
    );
  }
  const running = status.value?.running ?? [];
  return (
    <>
      {workers.value.map((worker) => (
        <WorkerPanel key={worker.id} worker={worker} tasks={running.filter((task) => task.worker === worker.id)} />
      ))}
    </>
  );
}

function WorkerPanel({ worker, tasks }: { worker: Worker; tasks: readonly RunningTask[] }) {
  return (
    <Panel
      title={worker.id}
      actions={
        <span class="worker-state">
          <Badge word={workerState(worker)} />
          <a href={hrefOf("logs", worker.id)}>log</a>
        </span>
      }
    >
      <Facts facts={identity(worker)} />
      <Facts facts={load(worker)} />
      <Troubles worker={worker} />
      <ul class="tasks" aria-label={`Movies at ${worker.id}`}>
        {tasks.map((task) => (
          <li key={task.lease}>
            <a href={hrefOf("movies", task.movie)}>{task.movie}</a>
            <span>
              {task.step || "begins"}
              {task.purpose !== "process" && ` (${task.purpose})`}
            </span>
            <Progress value={task.fraction} label={`${task.movie}, ${task.step}`} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

type Fact = readonly [string, ComponentChildren];

function identity(worker: Worker): Fact[] {
  const { host, pid, device, deviceMemoryMb, done, failed, silentSeconds, versions, pool, idleSeconds } = worker;
  const facts: Fact[] = [
    ["device", device],
    ["device memory", withUnit(deviceMemoryMb / 1024, "GiB", 1)],
    ["host, process", `${host}, ${pid}`],
    ["version", versions.warpcore ?? "–"],
    ["done", done],
    ["failed", <span class={failed ? "bad" : ""}>{failed}</span>],
  ];
  if (pool !== "") facts.push(["pool, job", pool.replace("/", ", ")]);
  if (idleSeconds > IDLE_S) facts.push(["without a movie for", formatDuration(idleSeconds)]);
  if (silentSeconds > SILENT_S) facts.push(["silent for", formatDuration(silentSeconds)]);
  return facts;
}

/** Measured values; what the machine does not tell is left out. */
function load({ load, device }: Worker): Fact[] {
  const values: [string, number | undefined, string, number][] = [
    ["GPU use", load.gpuUtilisationPercent, "%", 0],
    ["GPU memory", gibibytes(load.gpuMemoryMb), "GiB", 1],
    ["temperature", load.gpuTemperatureC, "°C", 0],
    ["power", load.gpuPowerW, "W", 0],
    ["host memory", gibibytes(load.hostMemoryMb), "GiB", 1],
  ];
  const known = values.filter(([, value]) => value !== undefined);
  if (known.length === 0) return [["load", device.startsWith("cpu") ? "not measured yet" : "not told by the card"]];
  return known.map(([name, value, unit, digits]) => [name, withUnit(value, unit, digits)]);
}

function gibibytes(mebibytes: number | undefined): number | undefined {
  return mebibytes === undefined ? undefined : mebibytes / 1024;
}

function Troubles({ worker }: { worker: Worker }) {
  const lines = troublesOf(worker, alarms.value);
  if (lines.length === 0) return null;
  return (
    <ul class="attention" aria-label={`Troubles of ${worker.id}`}>
      {lines.map((line) => (
        <li key={line} class={worker.state === "lost" || worker.state === "set_aside" ? "critical" : "warning"}>
          {line}
        </li>
      ))}
    </ul>
  );
}
