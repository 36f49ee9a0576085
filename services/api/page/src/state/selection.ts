/** Which movies are marked on the page, in all views alike, and the operator's actions on them with undo. */
import { computed, signal } from "@preact/signals";
import { api } from "../api/client";
import type { Selection } from "../api/types";
import { notify, notifyProblem } from "./notices";

/** Ids of the marked movies. Replace the set, do not change it. */
export const marked = signal<ReadonlySet<number>>(new Set());

export const markedCount = computed(() => marked.value.size);

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

interface Undoable {
  text: string;
  undo: string;
}

const WORDS: Record<Selection, string> = { include: "included", exclude: "excluded", auto: "left to the filter" };

/** What can be undone, the last action last. */
export const undoable = signal<readonly Undoable[]>([]);

/** Include, exclude or leave movies to the filter; it can be undone. */
export async function select(selection: Selection, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  try {
    const { changed, undo } = await api.select(selection, ids);
    const text = `${changed} ${changed === 1 ? "movie" : "movies"} ${WORDS[selection]}`;
    if (changed > 0) undoable.value = [...undoable.peek(), { text, undo }];
    notify(text, changed > 0 ? { label: "Undo", run: undoLast } : undefined);
  } catch (error) {
    notifyProblem(error);
  }
}

/** Give the movies of the last action their former values. */
export async function undoLast(): Promise<void> {
  const last = undoable.peek().at(-1);
  if (!last) return;
  try {
    await api.undoSelection(last.undo);
    undoable.value = undoable.peek().slice(0, -1);
    notify(`Undone: ${last.text}`);
  } catch (error) {
    notifyProblem(error);
  }
}
