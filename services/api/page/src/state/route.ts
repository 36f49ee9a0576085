/** The view, movie and further choices that the URL names: `#/movies/grid1/a?colour=status`. A link shows the same. */

import { signal } from "@preact/signals";
import { inPath } from "../api/client";

export const VIEWS = [
  "session",
  "plots",
  "movies",
  "settings",
  "workers",
  "failures",
  "exports",
  "alarms",
  "logs",
  "squares",
  "audit",
] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** The movie's name, or what else the view shows one of; empty for the view itself. */
  subject: string;
  query: URLSearchParams;
}

/** The route that a URL's fragment names; an unknown view is the session. */
export function parseRoute(fragment: string): Route {
  const [path = "", query = ""] = split(fragment.replace(/^#?\/?/, ""), "?");
  const [view = "", subject = ""] = split(path, "/");
  const query_ = new URLSearchParams(query);
  const known = VIEWS.find((one) => one === view);
  return known
    ? { view: known, subject: decode(subject), query: query_ }
    : { view: "session", subject: "", query: query_ };
}

/** The fragment of a URL that shows this. Slashes of a movie's name stay readable. */
export function hrefOf(view: View, subject = "", query: Record<string, string> | URLSearchParams = {}): string {
  const path = subject ? `#/${view}/${inPath(subject)}` : `#/${view}`;
  const text = new URLSearchParams(query).toString();
  return text ? `${path}?${text}` : path;
}

function split(text: string, at: string): [string, string] {
  const place = text.indexOf(at);
  return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Where the page is. Set it by `go` or `setQuery` alone, so that the URL says the same. */
export const route = signal<Route>(parseRoute(""));

/** Show another view or subject. */
export function go(view: View, subject = "", query: Record<string, string> | URLSearchParams = {}): void {
  location.hash = hrefOf(view, subject, query);
}

/**
 * Change choices of the present view in the URL without a new entry in the browser's history; null takes one out, a list
 * repeats it.
 */
export function setQuery(changes: Record<string, string | readonly string[] | null>): void {
  const { view, subject, query } = route.peek();
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of typeof value === "string" ? [value] : (value ?? [])) next.append(name, one);
  }
  history.replaceState(history.state, "", hrefOf(view, subject, next));
  route.value = { view, subject, query: next };
}

/** Follow the URL from now on. */
export function followUrl(): void {
  const read = () => {
    route.value = parseRoute(location.hash);
  };
  window.addEventListener("hashchange", read);
  read();
}
