/** Keeps what a view has loaded true while it is shown. */
import { useEffect } from "preact/hooks";
import { ProblemError } from "../api/client";
import { notifyProblem } from "../state/notices";
import { onEvent } from "../state/sync";

/** Calls `load` when the component is first shown, when the connection is back, and on each event whose topic begins
 * with one of `topics`.
 */
export function useFresh(load: () => unknown, ...topics: string[]): void {
  useEffect(() => {
    const fresh = () => void whereItAnswers(load);
    fresh();
    return onEvent((topic) => {
      if (topic === "hello" || topics.some((one) => topic.startsWith(one))) fresh();
    });
  }, []);
}

/** Loads what a view shows. That the API does not answer now is told by the shell's line, and what is shown stays. */
export async function whereItAnswers(load: () => unknown): Promise<void> {
  try {
    await load();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (!error.passing) notifyProblem(error);
  }
}
