/** One-line notices at the foot of the page: what an action did, or why it could not be done. */
import { signal } from "@preact/signals";

export interface Notice {
  id: number;
  text: string;
  problem: boolean;
  action?: { label: string; run: () => void } | undefined;
}

const SHOWN_MS = 6_000;
const MOST = 3;

export const notices = signal<readonly Notice[]>([]);

let lastId = 0;

/** Tell what happened, for some seconds; with a button where something can be done about it. */
export function notify(text: string, action?: Notice["action"]): void {
  add({ id: ++lastId, text, problem: false, action });
}

/** Tell why something failed, until it is dismissed. An aborted request is no failure. */
export function notifyProblem(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  add({ id: ++lastId, text: error instanceof Error ? error.message : String(error), problem: true });
}

export function dismiss(id: number): void {
  notices.value = notices.peek().filter((notice) => notice.id !== id);
}

function add(notice: Notice): void {
  notices.value = [...notices.peek(), notice].slice(-MOST);
  if (!notice.problem) setTimeout(() => dismiss(notice.id), SHOWN_MS);
}
