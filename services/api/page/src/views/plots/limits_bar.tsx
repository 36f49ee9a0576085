/** What the filter keeps with the limits that are tried out, and how they are put in force. */
import { useState } from "preact/hooks";
import { ApplyDialog } from "../../parts/apply_dialog";
import { Button } from "../../parts/controls";
import { decimalsIn } from "../../parts/format";
import { columnText } from "../../parts/values";
import { drafts, draftsPatch, type Limits, limitsInForce, SIDES, type Side } from "../../state/filter_limits";
import { columnByName } from "../../state/session";
import { kept, keptText } from "./keeps";

export function LimitsBar() {
  const [applying, setApplying] = useState(false);
  const changed = drafts.value.size > 0;
  const reset = () => {
    drafts.value = new Map();
  };
  return (
    <section class="limits-bar" aria-label="Limits">
      <strong aria-live="polite">The filter {keptText(kept.value)}</strong>
      <span class="limits-changes">{changed ? changes().join(", ") : "Drag a limit to see what it would keep."}</span>
      <Button disabled={!changed} onClick={reset}>
        Reset
      </Button>
      <Button operates kind="primary" disabled={!changed} onClick={() => setApplying(true)}>
        Apply…
      </Button>
      {applying && (
        <ApplyDialog title="Apply limits" patch={draftsPatch()} onApplied={reset} onClose={() => setApplying(false)}>
          <ul class="plain">
            {changes().map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </ApplyDialog>
      )}
    </section>
  );
}

/** Each limit that is tried out with the one in force: "resolution ≤ 4.0 Å (now 5.0 Å)". */
function changes(): string[] {
  return [...drafts.value].flatMap(([name, limits]) => {
    const column = columnByName.value.get(name);
    if (column === undefined) return [];
    const now = limitsInForce(name);
    const text = (side: Side, of: Limits) => {
      const value = of[side];
      return value === null ? "none" : columnText(value, column, decimalsIn(value));
    };
    return SIDES.filter((side) => limits[side] !== now[side]).map(
      (side) => `${column.heading} ${side === "low" ? "≥" : "≤"} ${text(side, limits)} (now ${text(side, now)})`,
    );
  });
}
