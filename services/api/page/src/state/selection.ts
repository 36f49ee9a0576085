/** Which movies are marked on the page, in all views alike, and the operator's actions on them with undo. */
import { computed, signal } from "@preact/signals";
import { api, ProblemError } from "../api/client";
import type { Selection } from "../api/types";
import { counted } from "../parts/format";
import { movies } from "./movies";
import { dismiss, notify, notifyProblem, whereItAnswers } from "./notices";
import { signature } from "./preferences";

/** Ids of the marked movies. Replace the set, do not change it. */
export const marked = signal<ReadonlySet<number>>(new Set());

export const markedCount = computed(() => marked.value.size);

/** Whether each click or tap adds or removes a movie, as with Ctrl: touch screens have no such key. */
export const markSeveral = signal(false);

export type MarkMode = "replace" | "add" | "remove" | "toggle";

/** `before` with `ids` added, removed, toggled or in its place. */
export function combined(before: ReadonlySet<number>, ids: Iterable<number>, mode: MarkMode): ReadonlySet<number> {
  if (mode === "replace") return new Set(ids);
  const after = new Set(before);
  for (const id of ids) {
    if (mode === "remove" || (mode === "toggle" && after.has(id))) after.delete(id);
    else after.add(id);
  }
  return after;
}

/** Mark movies: the one way by which plots, gallery and table select. */
export function mark(ids: Iterable<number>, mode: MarkMode = "replace"): void {
  marked.value = combined(marked.peek(), ids, mode);
}

/** Take the marks of movies away that the session no longer has: nothing can be done with them. */
export function unmarkGone(): void {
  const here = [...marked.peek()].filter((id) => movies.row(id) >= 0);
  if (here.length < marked.peek().size) mark(here);
}

interface Undoable {
  text: string;
  /** What the API answered each portion with. */
  undos: readonly string[];
  /** The notice that offers to undo it; none for what was done before the page was loaded. */
  notice?: number;
}

/** So many ids fit a request. */
const PORTION = 50_000;

const WORDS: Record<Selection, string> = { include: "included", exclude: "excluded", auto: "left to the filter" };

/** What can be undone, the last action last. */
export const undoable = signal<readonly Undoable[]>([]);

/** Include, exclude or leave movies to the filter; it can be undone. */
export async function select(selection: Selection, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  const undos: string[] = [];
  let total = 0;
  const tell = () => {
    const which = ids.length === 1 && total === 1 ? movies.nameOf(ids[0]!) : "";
    const text = `${which || counted(total, "movie")} ${WORDS[selection]}`;
    const notice = notify(text, total > 0 ? { label: "Undo", run: undoLast } : undefined);
    if (total > 0) undoable.value = [...undoable.peek(), { text, undos, notice }];
  };
  try {
    for (let first = 0; first < ids.length; first += PORTION) {
      const { changed, undo } = await api.select(selection, ids.slice(first, first + PORTION), signature());
      total += changed;
      if (changed > 0) undos.push(undo);
    }
    tell();
  } catch (error) {
    if (total > 0) tell();
    notifyProblem(error);
  }
}

/** Whether what can be undone from before the page was loaded is known. */
let loaded = false;

/** What can be undone from before the page was loaded; what was done since stays first. Asked once. */
export function loadUndoable(): Promise<void> {
  return whereItAnswers(async () => {
    if (loaded) return;
    const { changes } = await api.selections();
    loaded = true;
    const earlier = changes.map(({ undo, selection, movies }) => ({
      text: `${counted(movies, "movie")} ${WORDS[selection]}`,
      undos: [undo],
    }));
    const known = new Set(undoable.peek().flatMap(({ undos }) => undos));
    undoable.value = [...earlier.reverse().filter(({ undos: [undo] }) => !known.has(undo!)), ...undoable.peek()];
  });
}

/** Give the movies of the last action their former values. */
export async function undoLast(): Promise<void> {
  const last = undoable.peek().at(-1);
  if (!last) return;
  try {
    for (const undo of [...last.undos].reverse()) await api.undoSelection(undo);
    forgetLast();
    notify(`Undone: ${last.text}`);
  } catch (error) {
    // Undone elsewhere, or too old.
    if (error instanceof ProblemError && error.status === 404) forgetLast();
    notifyProblem(error);
  }
}

/** The last action cannot be undone any more, so that no notice offers it. */
function forgetLast(): void {
  const last = undoable.peek().at(-1);
  undoable.value = undoable.peek().slice(0, -1);
  if (last?.notice !== undefined) dismiss(last.notice);
}
