/** Why a movie failed, and what can be done. */
import type { Failure } from "../../api/types";
import { Button, Panel } from "../../parts/controls";
import { stateWords } from "../../parts/state_words";

export function FailurePanel({ failure, onRetry }: { failure: Failure; onRetry: () => void }) {
  return (
    <Panel
      title="Failure"
      actions={
        <Button kind="primary" onClick={onRetry} title="Try it again (r)">
          Retry
        </Button>
      }
    >
      <p class="bad">{failure.message}</p>
      <p class="hint">
        {stateWords(failure.kind)} failure in {failure.step}
        {failure.host && ` on ${failure.host}`}
      </p>
    </Panel>
  );
}
