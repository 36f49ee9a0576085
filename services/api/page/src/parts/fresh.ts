/** Keeps what a view has loaded true while it is shown. */
import { useEffect } from "preact/hooks";
import { onEvent } from "../state/sync";

/** Calls `load` when the component is first shown, when the connection is back, and on each event whose topic begins
 * with one of `topics`.
 */
export function useFresh(load: () => void, ...topics: string[]): void {
  useEffect(() => {
    load();
    return onEvent((topic) => {
      if (topic === "hello" || topics.some((one) => topic.startsWith(one))) load();
    });
  }, []);
}
