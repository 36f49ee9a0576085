/** Asks before failed movies are taken out of the session: what is forgotten cannot be brought back. */
import { useState } from "preact/hooks";
import type { ForgetChoice } from "../../api/client";
import { Button } from "../../parts/controls";
import { Dialog } from "../../parts/dialog";
import { OperatorField } from "../../parts/operator_field";
import { forget } from "../../state/failed";

interface Props {
  /** Which movies, in words. */
  movies: string;
  choice: ForgetChoice;
  onForgotten: () => void;
  onClose: () => void;
}

export function ForgetDialog({ movies, choice, onForgotten, onClose }: Props) {
  const [sending, setSending] = useState(false);
  const confirm = async () => {
    setSending(true);
    await forget(choice);
    onForgotten();
    onClose();
  };
  return (
    <Dialog
      title={`Forget ${movies}`}
      onClose={onClose}
      actions={
        <>
          <OperatorField />
          <Button onClick={onClose}>Keep</Button>
          <Button kind="danger" disabled={sending} onClick={() => void confirm()}>
            Forget
          </Button>
        </>
      }
    >
      <p>
        The session no longer lists {movies}, with their choices, picks by hand and stories; files are left alone. A
        file that is still there, or comes back, is found anew. This cannot be undone.
      </p>
    </Dialog>
  );
}
