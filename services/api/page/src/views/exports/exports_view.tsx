/** Export jobs: start one, follow it, cancel it, download its files, delete it. */
import { signal, useSignal } from "@preact/signals";
import { archivePath, exportsApi, type Job, summaryPath } from "../../api/exports";
import { Badge, Button, Empty, Panel, Progress } from "../../parts/controls";
import { counted, formatCount } from "../../parts/format";
import { useFresh } from "../../parts/fresh";
import { act } from "../../state/notices";
import { go, hrefOf, route } from "../../state/route";
import { DeleteDialog } from "./delete_dialog";
import { JobFiles } from "./job_files";
import { StartExport } from "./start_export";
import { canCancel, hasSummary, optionWords, particleWords } from "./words";

const jobs = signal<readonly Job[] | null>(null);

async function loadJobs(): Promise<void> {
  jobs.value = (await exportsApi.jobs()).reverse();
}

export function ExportsView() {
  const reload = useFresh(loadJobs, "export.");
  return (
    <div class="exports">
      <StartExport
        onStarted={({ job }) => {
          reload();
          go("exports", job);
        }}
      />
      <Panel title="Jobs">
        {jobs.value?.length === 0 && <Empty>Nothing has been exported yet.</Empty>}
        {jobs.value?.map((job) => (
          <JobRow key={job.job} job={job} open={route.value.subject === job.job} reload={reload} />
        ))}
      </Panel>
    </div>
  );
}

function JobRow({ job, open, reload }: { job: Job; open: boolean; reload: () => void }) {
  const { job: name, kind, state, done, failed, total, folder } = job;
  const asking = useSignal(false);
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
        {hasSummary(job) && (
          <a href={summaryPath(name)} download aria-label={`particles.star of ${name}`}>
            particles.star
          </a>
        )}
        {state === "done" && (
          <a href={archivePath(name)} download aria-label={`All files of ${name}`}>
            all files
          </a>
        )}
        {canCancel(state) && (
          <Button
            operates
            kind="danger"
            label={`Cancel ${name}`}
            onClick={() => void act(exportsApi.cancel(name), reload)}
          >
            Cancel
          </Button>
        )}
        {state !== "deleting" && (
          <Button
            operates
            label={`Delete ${name}`}
            onClick={() => {
              asking.value = true;
            }}
          >
            Delete
          </Button>
        )}
      </header>
      {canCancel(state) && <Progress value={total ? (done + failed) / total : 0} label={name} />}
      <small>
        {folder === "" ? kind : folder}: {optionWords(job.options)}
      </small>
      {open && <JobFiles key={state} name={name} />}
      {asking.value && (
        <DeleteDialog
          job={job}
          onDeleted={reload}
          onClose={() => {
            asking.value = false;
          }}
        />
      )}
    </article>
  );
}
