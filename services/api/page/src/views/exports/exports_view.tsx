/** Export jobs: start one, follow it, cancel it, download its files. */
import { signal } from "@preact/signals";
import { exportsApi, type Job } from "../../api/exports";
import { Badge, Button, Empty, Panel, Progress } from "../../parts/controls";
import { counted, formatCount } from "../../parts/format";
import { useFresh, whereItAnswers } from "../../parts/fresh";
import { notifyProblem } from "../../state/notices";
import { go, hrefOf, route } from "../../state/route";
import { throttled } from "../../state/sync";
import { JobFiles } from "./job_files";
import { StartExport } from "./start_export";
import { canCancel, optionWords, particleWords } from "./words";

const PAUSE_MS = 500;

const jobs = signal<readonly Job[] | null>(null);

const loadJobs = throttled(
  () =>
    whereItAnswers(async () => {
      jobs.value = (await exportsApi.jobs()).reverse();
    }),
  PAUSE_MS,
);

export function ExportsView() {
  useFresh(loadJobs, "export.");
  return (
    <div class="exports">
      <StartExport onStarted={started} />
      <Panel title="Jobs">
        {jobs.value?.length === 0 && <Empty>Nothing has been exported yet.</Empty>}
        {jobs.value?.map((job) => (
          <JobRow key={job.job} job={job} open={route.value.subject === job.job} />
        ))}
      </Panel>
    </div>
  );
}

function started({ job }: Job): void {
  loadJobs();
  go("exports", job);
}

async function cancel(job: string): Promise<void> {
  try {
    await exportsApi.cancel(job);
    loadJobs();
  } catch (error) {
    notifyProblem(error);
  }
}

function JobRow({ job, open }: { job: Job; open: boolean }) {
  const { job: name, state, done, failed, total } = job;
  return (
    <article class="job" aria-label={name}>
      <header>
        <a href={open ? hrefOf("exports") : hrefOf("exports", name)} aria-expanded={open}>
          {name}
        </a>
        <Badge word={state} />
        <span>
          {formatCount(done)} of {counted(total, "movie")}
          {failed > 0 && <b class="bad"> {formatCount(failed)} failed</b>}
        </span>
        {job.particles !== null && <span>{particleWords(job)}</span>}
        {canCancel(state) && (
          <Button kind="danger" label={`Cancel ${name}`} onClick={() => void cancel(name)}>
            Cancel
          </Button>
        )}
      </header>
      {canCancel(state) && <Progress value={total ? (done + failed) / total : 0} label={name} />}
      <small>{optionWords(job.options)}</small>
      {open && <JobFiles key={state} name={name} />}
    </article>
  );
}
