/** Requests about one movie: what it looks like, edits of its picks, and tries with other settings. */
import { address, getJson, inPath, itemPath, type Query, sendJson } from "./client";
import type { Curves, HandAnswer, LogLine, Picks, PictureIndex, Point, Tracks } from "./documents";
import type { Sections } from "./settings";
import type { Failure } from "./types";

/** A movie's values by column; null where there is none. */
export type Values = Record<string, number | string | null>;

export type TryState = "waiting" | "running" | "done" | "failed";

/** One movie processed aside with other settings; nothing of the session changes. */
export interface Try {
  id: string;
  name: string;
  state: TryState;
  settings: Sections;
  step: string;
  fraction: number;
  at: string;
  /** Empty in lists. */
  results: Record<string, Record<string, unknown>>;
  filterReasons: string[];
  failure: Failure | null;
  /** Number of its results, which never change. */
  generation: number;
}

export const movieApi = {
  pictures: (name: string, signal?: AbortSignal) => getJson<PictureIndex>(itemPath(name, "pictures"), {}, signal),
  curves: (name: string, signal?: AbortSignal) => getJson<Curves>(itemPath(name, "curves"), {}, signal),
  tracks: (name: string, signal?: AbortSignal) => getJson<Tracks>(itemPath(name, "tracks"), {}, signal),
  picks: (name: string, signal?: AbortSignal) => getJson<Picks>(itemPath(name, "picks"), {}, signal),
  log: async (name: string, signal?: AbortSignal) =>
    (await getJson<{ lines: LogLine[] }>(itemPath(name, "log"), {}, signal)).lines,
  values: async (name: string, columns: readonly string[], signal?: AbortSignal) => {
    const query = { filter: nameFilter(name), fields: ["name", ...columns].join() };
    const { items } = await getJson<{ items: Values[] }>("/api/items", query, signal);
    return items.find((item) => item.name === name) ?? null;
  },
  handPicks: (name: string) => getJson<HandAnswer>(itemPath(name, "picks/hand")),
  putHandPicks: (name: string, edits: { added: readonly Point[]; removed: readonly Point[] }) =>
    sendJson<HandAnswer>("PUT", itemPath(name, "picks/hand"), edits),
  undoHandPicks: (name: string) => sendJson<HandAnswer>("POST", itemPath(name, "picks/hand/undo")),

  startTry: (name: string, settings: Sections) => sendJson<Try>("POST", itemPath(name, "try"), { settings }),
  tries: async (name: string, signal?: AbortSignal) =>
    (await getJson<{ tries: Try[] }>("/api/tries", { name }, signal)).tries,
  try: (id: string, signal?: AbortSignal) => getJson<Try>(`/api/tries/${inPath(id)}`, {}, signal),
  tryCurves: (id: string, signal?: AbortSignal) => getJson<Curves>(`/api/tries/${inPath(id)}/curves`, {}, signal),
  deleteTry: (id: string) => sendJson<unknown>("DELETE", `/api/tries/${inPath(id)}`),
};

/** A filter of `GET /api/items` that only this name fits: its wildcards are meant as they are written. */
export function nameFilter(name: string): string {
  return `name:${name.replace(/[[*?]/g, "[$&]")}`;
}

/** The address of a picture of a try. */
export function tryPictureUrl({ id, generation }: Try, kind: string, query: Query = {}): string {
  return address(`/api/tries/${inPath(id)}/picture/${kind}`, { ...query, generation });
}
