/** Asks before an export job and its files are deleted. */
import { useSignal } from "@preact/signals";
import { exportsApi, type Job } from "../../api/exports";
import { Button } from "../../parts/controls";
import { Dialog } from "../../parts/dialog";
import { act } from "../../state/notices";
import { deletionWords } from "./words";

interface Props {
  job: Job;
  onDeleted: () => void;
  onClose: () => void;
}

export function DeleteDialog({ job, onDeleted, onClose }: Props) {
  const sending = useSignal(false);
  const confirm = async () => {
    sending.value = true;
    await act(exportsApi.delete(job.job), onDeleted);
    onClose();
  };
  return (
    <Dialog
      title={`Delete ${job.job}`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Keep</Button>
          <Button kind="danger" disabled={sending.value} onClick={() => void confirm()}>
            Delete {job.job}
          </Button>
        </>
      }
    >
      <p>{deletionWords(job)} This cannot be undone.</p>
    </Dialog>
  );
}
