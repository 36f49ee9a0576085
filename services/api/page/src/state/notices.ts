/** One-line notices at the foot of the page: what an action did, or why it could not be done. */
import { signal } from "@preact/signals";
import { refusal } from "../api/client";

export interface Notice {
  id: number;
  text: string;
  problem: boolean;
  action?: { label: string; run: () => void } | undefined;
}

const SHOWN_MS = 6_000;
/** A problem takes longer to read, and tells what to do. */
const PROBLEM_SHOWN_MS = 15_000;
const MOST = 3;

export const notices = signal<readonly Notice[]>([]);

let lastId = 0;

/** Tell what happened, for some seconds; with a button where something can be done about it. Returns the notice's id. */
export function notify(text: string, action?: Notice["action"]): number {
  return add({ id: ++lastId, text, problem: false, action });
}

/** Tell why something failed, longer than what went well. An aborted request is no failure. */
export function notifyProblem(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  add({ id: ++lastId, text: error instanceof Error ? error.message : String(error), problem: true });
}

/** Carry out an action, then what follows from its answer; a refusal is told in one line. */
export async function act<T>(action: Promise<T>, then: (answer: T) => unknown): Promise<void> {
  try {
    await then(await action);
  } catch (error) {
    notifyProblem(error);
  }
}

/** Load what a view shows. Where the API does not answer now, the shell's line says so, and what is shown stays. */
export async function whereItAnswers(load: () => unknown): Promise<void> {
  try {
    await load();
  } catch (error) {
    const refused = refusal(error);
    if (refused !== null) notifyProblem(refused);
  }
}

export function dismiss(id: number): void {
  notices.value = notices.peek().filter((notice) => notice.id !== id);
}

/** Problems of a view that is left say nothing about the next. */
export function dismissProblems(): void {
  notices.value = notices.peek().filter(({ problem }) => !problem);
}

function add(notice: Notice): number {
  notices.value = [...notices.peek(), notice].slice(-MOST);
  setTimeout(() => dismiss(notice.id), notice.problem ? PROBLEM_SHOWN_MS : SHOWN_MS);
  return notice.id;
}
