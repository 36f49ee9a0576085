/** Keeps what a view has loaded true while it is shown. */
import { useEffect, useState } from "preact/hooks";
import { whereItAnswers } from "../state/notices";
import { onEvent, throttled } from "../state/sync";

const PAUSE_MS = 500;

/** Calls `load` when the component is first shown, when the connection is back, and on events whose topic begins with
 * one of `topics`; many at once cost few calls. Returns what does it now too.
 */
export function useFresh(load: () => unknown, ...topics: string[]): () => void {
  const [fresh] = useState(() => throttled(() => whereItAnswers(load), PAUSE_MS));
  useEffect(() => {
    fresh();
    return onEvent((topic) => {
      if (topic === "hello" || topics.some((one) => topic.startsWith(one))) fresh();
    });
  }, []);
  return fresh;
}

/** Calls `load` when the component is first shown, and again every so many ms while the page is in sight. */
export function useEvery(everyMs: number, load: () => unknown): void {
  useEffect(() => {
    void whereItAnswers(load);
    const timer = setInterval(() => {
      if (!document.hidden) void whereItAnswers(load);
    }, everyMs);
    return () => clearInterval(timer);
  }, []);
}
