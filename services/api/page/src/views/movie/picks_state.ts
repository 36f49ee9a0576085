/** The picks of the shown movie: threshold, and edits by hand that are stored as soon as they rest. */
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ProblemError } from "../../api/client";
import type { HandAnswer, Picks } from "../../api/documents";
import { movieApi } from "../../api/movie";
import { notifyProblem, whereItAnswers } from "../../state/notices";
import { type EditHistory, edited, type HandEdits, historyOf, NO_EDITS, redone, sameEdits, undone } from "./hand_edits";
import { useLoaded } from "./movie_state";
import { overruled } from "./picks_model";

const STORED_AFTER_MS = 800;
const SENT_AGAIN_AFTER_MS = 2000;

/** The threshold that is tried on one movie after the other; null: that of the results. */
export const trialThreshold = signal<number | null>(null);

export interface PicksState {
  picks: Picks | null;
  missing: string;
  /** The one that is tried, else that of the results. */
  threshold: number;
  hand: HandEdits;
  /** See `overruled`. */
  out: Uint8Array;
  edit: (next: HandEdits) => void;
  undo: () => void;
  redo: () => void;
  canUndo: boolean;
  canRedo: boolean;
  /** Whether edits are on their way to the scheduler. */
  storing: boolean;
}

/** The picks of the movie `name`, asked for again with each `version`; in a component for this movie alone.
 *
 * Nothing is asked for while the movie is not `picked` yet.
 */
export function usePicks(name: string, version: number, picked: boolean): PicksState {
  const { value: picks, missing } = useLoaded((signal) => movieApi.picks(name, signal), name, version, picked);
  const edits = useHandEdits(name, picks, picked);
  useEffect(() => {
    // Applied: the results have it.
    if (picks !== null && picks.threshold === trialThreshold.peek()) trialThreshold.value = null;
  }, [picks]);
  const out = useMemo(() => (picks === null ? new Uint8Array() : overruled(picks, edits.hand)), [picks, edits.hand]);
  return {
    picks,
    missing,
    threshold: trialThreshold.value ?? picks?.threshold ?? 0.5,
    out,
    ...edits,
  };
}

/** Edits with their history; each is sent when no other follows at once, and when the movie is left. */
function useHandEdits(name: string, picks: Picks | null, picked: boolean) {
  const [history, setHistory] = useState<EditHistory>(historyOf(NO_EDITS));
  const [former, setFormer] = useState(0);
  const [storing, setStoring] = useState(false);
  const waiting = useRef<Pending | null>(null);
  const stored = useRef(0); // `former` as last told, which the state is only at the next drawing.
  const told = (answer: HandAnswer) => {
    stored.current = answer.former;
    setFormer(answer.former);
  };

  useEffect(() => () => void flush(waiting), []);
  useEffect(() => {
    // Where nothing is picked there are no edits, and nothing to undo.
    if (picked) void whereItAnswers(async () => told(await movieApi.handPicks(name)));
  }, [picked]);
  useEffect(() => {
    // What others, or an earlier visit, have stored; one's own edits win while they are on their way.
    if (picks === null || waiting.current !== null) return;
    setHistory((before) => (sameEdits(before.present, picks.hand) ? before : historyOf(picks.hand)));
  }, [picks]);

  const store = (next: EditHistory) => {
    setHistory(next);
    setStoring(true);
    if (waiting.current !== null) clearTimeout(waiting.current.timer);
    const send = async () => told(await movieApi.putHandPicks(name, next.present));
    const timer = window.setTimeout(() => void flush(waiting), STORED_AFTER_MS);
    waiting.current = { timer, send, settled: () => setStoring(false) };
  };
  const undoStored = async () => {
    try {
      // Else what is on its way would come after the undo, and undo it.
      if (!(await flush(waiting)) || stored.current === 0) return;
      const answer = await movieApi.undoHandPicks(name);
      setHistory(historyOf(answer.hand));
      told(answer);
    } catch (error) {
      notifyProblem(error);
    }
  };
  return {
    hand: history.present,
    edit: (next: HandEdits) => store(edited(history, next)),
    undo: () => (history.past.length > 0 ? store(undone(history)) : void undoStored()),
    redo: () => store(redone(history)),
    canUndo: history.past.length > 0 || former > 0,
    canRedo: history.undone.length > 0,
    storing,
  };
}

/** Edits that are not stored yet. */
interface Pending {
  timer: number;
  send: () => Promise<void>;
  /** Called once they are, unless others have followed. */
  settled: () => void;
}

/** Sends what is not stored yet, and again as long as warpcore does not answer. False: it could not be stored now. */
async function flush(waiting: { current: Pending | null }): Promise<boolean> {
  const now = waiting.current;
  if (now === null) return true;
  clearTimeout(now.timer);
  let sent = true;
  try {
    await now.send();
  } catch (error) {
    sent = false;
    const passing = error instanceof ProblemError && error.passing;
    if (!passing) notifyProblem(error);
    else if (waiting.current === now) {
      now.timer = window.setTimeout(() => void flush(waiting), SENT_AGAIN_AFTER_MS);
      return false;
    }
  }
  if (waiting.current === now) {
    waiting.current = null;
    now.settled();
  }
  return sent;
}
