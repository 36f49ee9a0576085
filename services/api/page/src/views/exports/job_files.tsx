/** What an export job has written, and what it could not. */
import { useSignal } from "@preact/signals";
import { exportsApi, type Job, jobFilePath } from "../../api/exports";
import { Button, Empty } from "../../parts/controls";
import { useFresh } from "../../parts/fresh";
import { notifyProblem } from "../../state/notices";

/** Give it the job's state as key too: another one has other files. */
export function JobFiles({ name }: { name: string }) {
  const job = useSignal<Job | null>(null);
  const load = async (after: number) => {
    const page = await exportsApi.job(name, after);
    const before = after > 0 ? (job.peek()?.files ?? []) : [];
    job.value = { ...page, files: [...before, ...page.files] };
  };
  useFresh(() => load(0));
  if (job.value === null) return null;
  const { files, failures, nextAfter } = job.value;
  return (
    <>
      {failures.length > 0 && (
        <ul class="attention" aria-label={`Failures of ${name}`}>
          {failures.map(({ name: movie, message }) => (
            <li key={movie} class="warning">
              {movie}: {message}
            </li>
          ))}
        </ul>
      )}
      {files.length === 0 && <Empty>No file yet.</Empty>}
      <ul class="files" aria-label={`Files of ${name}`}>
        {files.map((file) => (
          <li key={file}>
            <a href={jobFilePath(name, file)} download>
              {file}
            </a>
          </li>
        ))}
      </ul>
      {nextAfter !== null && <Button onClick={() => void load(nextAfter).catch(notifyProblem)}>More files</Button>}
    </>
  );
}
