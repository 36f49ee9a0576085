/** What the filter keeps with the limits that are tried out, and how they are put in force. */
import { useState } from "preact/hooks";
import type { SettingsEffect } from "../../api/settings";
import { Button } from "../../parts/controls";
import { Dialog } from "../../parts/dialog";
import { effectWords } from "../../parts/effect_words";
import { decimalsIn } from "../../parts/format";
import { columnText } from "../../parts/values";
import {
  applyDrafts,
  drafts,
  type Limits,
  limitsInForce,
  previewDrafts,
  SIDES,
  type Side,
} from "../../state/filter_limits";
import { notify, notifyProblem } from "../../state/notices";
import { columnByName } from "../../state/session";
import { kept, keptText } from "./keeps";

export function LimitsBar() {
  const [effect, setEffect] = useState<SettingsEffect | null>(null);
  const changed = drafts.value.size > 0;
  const preview = async () => {
    try {
      setEffect(await previewDrafts());
    } catch (error) {
      notifyProblem(error);
    }
  };
  return (
    <section class="limits-bar" aria-label="Limits">
      <strong aria-live="polite">The filter {keptText(kept.value)}</strong>
      <span class="limits-changes">{changed ? changes().join(", ") : "Drag a limit to see what it would keep."}</span>
      <Button
        disabled={!changed}
        onClick={() => {
          drafts.value = new Map();
        }}
      >
        Reset
      </Button>
      <Button kind="primary" disabled={!changed} onClick={() => void preview()}>
        Apply…
      </Button>
      {effect && <ApplyDialog effect={effect} onClose={() => setEffect(null)} />}
    </section>
  );
}

function ApplyDialog({ effect, onClose }: { effect: SettingsEffect; onClose: () => void }) {
  const apply = async () => {
    try {
      await applyDrafts();
      notify("The limits are in force");
      onClose();
    } catch (error) {
      notifyProblem(error);
    }
  };
  return (
    <Dialog
      title="Apply limits"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" onClick={() => void apply()}>
            Apply
          </Button>
        </>
      }
    >
      <p>{effectWords(effect, [])}</p>
      <ul class="plain">
        {changes().map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </Dialog>
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
