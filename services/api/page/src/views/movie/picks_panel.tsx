/** Picks: the threshold on the stored scores, a person's own edits, and how sure the picker is. */
import { useMemo, useState } from "preact/hooks";
import type { Picks } from "../../api/documents";
import type { Sections } from "../../api/settings";
import { ApplyDialog } from "../../parts/apply_dialog";
import { Button, Empty, Panel } from "../../parts/controls";
import { counted, formatCount, formatNumber, withUnit } from "../../parts/format";
import { headingOf } from "../../state/session";
import { countAt, expectedFalse, keptText, scoreColour } from "./picks_model";
import { type PicksState, trialThreshold } from "./picks_state";

export function PicksPanel({ state }: { state: PicksState }) {
  const { picks, missing } = state;
  return (
    <Panel title="Picks" actions={picks && <Certainty picks={picks} />}>
      {picks === null ? (
        <Empty>{missing || "Loading."}</Empty>
      ) : (
        <>
          <Threshold state={state} picks={picks} />
          <Edits state={state} />
        </>
      )}
    </Panel>
  );
}

function Certainty({ picks }: { picks: Picks }) {
  const text = `${headingOf("picking.certainty")} ${formatNumber(picks.certainty, 2)}`;
  return picks.uncertain ? (
    <span class="badge warning" title="Picks are no better than chance here; only few are kept.">
      picks uncertain: {text}
    </span>
  ) : (
    <span class="hint">
      {picks.method}, {text}
    </span>
  );
}

function Threshold({ state, picks }: { state: PicksState; picks: Picks }) {
  const { threshold, hand, out } = state;
  const [patch, setPatch] = useState<Sections | null>(null);
  const count = useMemo(() => countAt(picks, out, threshold), [picks, out, threshold]);
  const present = useMemo(() => countAt(picks, out, picks.threshold), [picks, out]);
  const falsePart = useMemo(() => expectedFalse(picks, out, threshold), [picks, out, threshold]);
  const moved = Math.abs(threshold - picks.threshold) > 1e-9;
  return (
    <div class="threshold">
      <ScoreHistogram histogram={picks.histogram} threshold={threshold} />
      <input
        type="range"
        min={0}
        max={1}
        step={0.01}
        value={threshold}
        aria-label="Threshold of the score"
        onInput={(event) => {
          trialThreshold.value = Number(event.currentTarget.value);
        }}
      />
      <p aria-live="polite">
        score ≥ <b>{formatNumber(threshold, 2)}</b> keeps{" "}
        <b class="kept">{keptText(count, picks.score.length, hand.added.length)}</b>
        {moved && `; now ${formatCount(present)} at ${formatNumber(picks.threshold, 2)}`}
        {Number.isFinite(falsePart) && `; ${withUnit(100 * falsePart, "%", 1)} may be false`}
      </p>
      <div class="row">
        <Button
          operates
          kind="primary"
          disabled={!moved}
          onClick={() => setPatch({ picking: { threshold: Math.round(threshold * 100) / 100, expected_false: null } })}
        >
          Apply to the session …
        </Button>
        <Button
          disabled={!moved}
          onClick={() => {
            trialThreshold.value = null;
          }}
        >
          Back
        </Button>
      </div>
      {patch !== null && <ApplyDialog patch={patch} onClose={() => setPatch(null)} />}
    </div>
  );
}

/** Candidates by score, as many as there are in each step; those below the threshold are pale. */
function ScoreHistogram({ histogram, threshold }: { histogram: readonly number[]; threshold: number }) {
  const largest = Math.max(1, ...histogram);
  const step = 100 / histogram.length;
  const total = histogram.reduce((sum, count) => sum + count, 0);
  return (
    <svg
      class="histogram"
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${counted(total, "candidate")} by score from 0 to 1`}
    >
      {histogram.map((count, place) => {
        const height = count === 0 ? 0 : Math.max(1, 30 * Math.sqrt(count / largest));
        const score = (place + 0.5) / histogram.length;
        return (
          <rect
            key={place}
            x={place * step + 0.2}
            y={30 - height}
            width={step - 0.4}
            height={height}
            fill={scoreColour(score)}
            opacity={score < threshold ? 0.3 : 1}
          />
        );
      })}
      <line x1={100 * threshold} x2={100 * threshold} y1={0} y2={30} class="limit" vector-effect="non-scaling-stroke" />
    </svg>
  );
}

function Edits({ state }: { state: PicksState }) {
  const { hand, undo, redo, canUndo, canRedo, storing } = state;
  return (
    <div class="row edits">
      <span>
        by hand: <b class="added">{formatCount(hand.added.length)} added</b>,{" "}
        <b class="removed">{formatCount(hand.removed.length)} removed</b>
        <small role="status">{storing ? " storing" : ""}</small>
      </span>
      <Button
        operates
        onClick={undo}
        disabled={!canUndo}
        title="Undo the last edit of picks (u while picks are edited)"
      >
        Undo
      </Button>
      <Button operates onClick={redo} disabled={!canRedo} title="Do it again (Ctrl+Shift+Z)">
        Redo
      </Button>
    </div>
  );
}
