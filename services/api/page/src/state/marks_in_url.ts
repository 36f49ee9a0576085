/** Keeps the marked movies and the URL's `marked` the same, so that a link shows the same selection. */
import { effect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { idsOf, idsText } from "./id_ranges";
import { route, setQuery } from "./route";
import { mark, marked } from "./selection";

const NAME = "marked";

/** For a view that shows what is marked. A URL that names movies marks them; else it gets those that are marked. */
export function useMarksInUrl(): void {
  useEffect(() => {
    let known = route.peek().query.has(NAME) ? null : textOf();
    const read = effect(() => {
      const text = route.value.query.get(NAME) ?? "";
      if (known !== null && text === known) return;
      if (known === null || text !== "") mark(idsOf(text));
      known = text;
    });
    const write = effect(() => {
      marked.value;
      const text = textOf();
      if (route.peek().query.get(NAME) === (text || null)) return;
      known = text;
      setQuery({ [NAME]: text || null });
    });
    return () => {
      read();
      write();
    };
  }, []);
}

/** The marked movies as the URL names them; empty where there are none, or too many for a link. */
function textOf(): string {
  return idsText(marked.peek()) ?? "";
}
