/** Keeps the page's state true: loads it, follows the events, and asks again by itself after any loss. */
import type { Signal } from "@preact/signals";
import { api, getBytes, ProblemError, type Query } from "../api/client";
import { EventStream } from "../api/events";
import { decodeSeries, SERIES_TYPE, type Series } from "../api/series";
import type { RunningTask } from "../api/types";
import { signedOut } from "./access";
import { movies, moviesVersion } from "./movies";
import { unmarkGone } from "./selection";
import { alarms, columnInfos, connection, latest, showTask, status, workers } from "./session";
import { wantedColumns } from "./wanted_columns";

const STATUS_EVERY_MS = 2_000;
/** Pauses after a request: a single change shows at once, many changes cost few requests. */
const LEAST_PAUSE_MS = 50;
const MOST_PAUSE_MS = { movies: 150, status: 1_000 };
const LATEST_COUNT = 12;

type Listener = (topic: string, body: unknown) => void;
const listeners = new Set<Listener>();

/** Calls `listener` with each event of the session, and with `hello` when API and scheduler are there (again).
 *
 * Returns what ends that.
 */
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Runs `work` at once, then at most once at a time and once for any number of calls meanwhile. The pause after it is
 * `leastMs`, and twice as long each time that a call has waited, up to `mostMs`.
 */
export function throttled(work: () => Promise<void>, leastMs: number, mostMs = leastMs): () => void {
  let running = false;
  let again = false;
  let pauseMs = leastMs;
  const run = async () => {
    running = true;
    again = false;
    try {
      await work();
    } finally {
      setTimeout(() => {
        running = false;
        pauseMs = again ? Math.min(2 * pauseMs, mostMs) : leastMs;
        if (again) void run();
      }, pauseMs);
    }
  };
  return () => {
    if (running) again = true;
    else void run();
  };
}

type Part = "status" | "columns" | "alarms" | "movies";

/** Why a part of the state is older than the session; empty where all could be loaded. */
const behind = new Map<Part, string>();

/** Loads a part of the state. Where it cannot be had the last known stays, and the shell's line says why. */
export async function keep(part: Part, load: () => Promise<void>): Promise<void> {
  try {
    await load();
    behind.delete(part);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    behind.set(part, lostText(error));
  }
  const [text] = behind.values();
  connection.value = text === undefined ? { state: "connected", text: "" } : { state: "lost", text };
}

const refreshMovies = throttled(
  () =>
    keep("movies", async () => {
      if (movies.epoch) await loadNewColumns();
      await loadMovies();
    }),
  LEAST_PAUSE_MS,
  MOST_PAUSE_MS.movies,
);

/** Movies that changed since the last answer, or all. */
async function loadMovies(): Promise<void> {
  const since = movies.epoch ? { since: movies.seq, epoch: movies.epoch } : {};
  const series = await askSeries(wantedColumns.peek(), since);
  movies.apply(series);
  if (series.full) unmarkGone();
  if (series.full || series.count > 0) moviesVersion.value = moviesVersion.peek() + 1;
}

/** All values of columns that a view has asked for since. */
async function loadNewColumns(): Promise<void> {
  const missing = wantedColumns.peek().filter((name) => !movies.columns.has(name));
  if (missing.length === 0) return;
  movies.addColumns(await askSeries(missing));
  moviesVersion.value = moviesVersion.peek() + 1;
}

async function askSeries(columns: readonly string[], since: Query = {}): Promise<Series> {
  return decodeSeries(await getBytes("/api/series", { columns: columns.join(","), ...since }, SERIES_TYPE));
}

async function loadStatus(): Promise<void> {
  // The latest are those with results, whatever their status is now: after a change of settings all are to run again.
  const done = { filter: "run.doneAt:0..", sort: "-run.doneAt", pageSize: LATEST_COUNT };
  await Promise.all([
    take(api.status(), status),
    take(api.workers(), workers),
    take(
      api.items(done).then(({ items }) => items),
      latest,
    ),
  ]);
}

async function loadColumns(): Promise<void> {
  if (columnInfos.peek().length === 0) await take(api.columns(), columnInfos);
}

async function take<T>(answer: Promise<T>, into: Signal<T>): Promise<void> {
  into.value = await answer;
}

function lostText(error: ProblemError): string {
  if (error.status === 0)
    return "No connection to warpcore. The page shows the last known state and goes on by itself.";
  if (error.loggedOut) return "The login has expired. Sign in again; the page then goes on.";
  return `${error.message}. The page shows the last known state and goes on by itself.`;
}

const refreshStatus = throttled(
  async () => {
    await Promise.all([keep("status", loadStatus), keep("columns", loadColumns)]);
  },
  LEAST_PAUSE_MS,
  MOST_PAUSE_MS.status,
);

const refreshAlarms = throttled(
  () => keep("alarms", () => take(api.alarms(), alarms)),
  LEAST_PAUSE_MS,
  MOST_PAUSE_MS.status,
);

/** Ask for all that is shown besides the movies, and for these too where that was in vain. */
export function refreshSession(): void {
  if (signedOut.peek()) return; // all would be refused; signing in loads the page anew
  refreshStatus();
  refreshAlarms();
  if (behind.has("movies")) refreshMovies();
}

function tell(topic: string, body: unknown): void {
  for (const listener of listeners) listener(topic, body);
}

/** Begin; the page calls it once. */
export function startSync(): void {
  refreshSession();
  wantedColumns.subscribe(refreshMovies);
  setInterval(() => {
    if (!document.hidden) refreshSession();
  }, STATUS_EVERY_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refreshSession();
  });
  new EventStream({
    onHello: () => {
      refreshMovies();
      refreshSession();
      tell("hello", null);
    },
    onEvent: (topic, body) => {
      tell(topic, body);
      if (topic.startsWith("movie.")) refreshMovies();
      if (topic.startsWith("alarm.")) refreshAlarms();
      if (topic.startsWith("task.")) showTask(topic, body as RunningTask);
      if (topic !== "worker.heartbeat" && topic !== "task.progress") refreshStatus();
    },
    onScheduler: (connected) => {
      refreshSession();
      if (connected) tell("hello", null);
    },
    onLost: refreshSession,
    isWanted: () => !signedOut.peek(),
  });
}
