/** Keeps the page's state true: loads it, follows the events, and asks again by itself after any loss. */
import { api, getBytes, ProblemError, type Query } from "../api/client";
import { EventStream } from "../api/events";
import { decodeSeries, SERIES_TYPE, type Series } from "../api/series";
import { movies, moviesVersion } from "./movies";
import { alarms, columnInfos, connection, latest, status, workers } from "./session";
import { wantedColumns } from "./wanted_columns";

const STATUS_EVERY_MS = 2_000;
const SERIES_PAUSE_MS = 250;
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

/** Runs `work` at most once at a time and once for any number of calls meanwhile, with a pause after it. */
export function throttled(work: () => Promise<void>, pauseMs: number): () => void {
  let running = false;
  let again = false;
  const run = async () => {
    running = true;
    again = false;
    try {
      await work();
    } finally {
      setTimeout(() => {
        running = false;
        if (again) void run();
      }, pauseMs);
    }
  };
  return () => {
    if (running) again = true;
    else void run();
  };
}

const refreshMovies = throttled(async () => {
  try {
    if (movies.epoch) await loadNewColumns();
    await loadMovies();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
  }
}, SERIES_PAUSE_MS);

/** Movies that changed since the last answer, or all. */
async function loadMovies(): Promise<void> {
  const since = movies.epoch ? { since: movies.seq, epoch: movies.epoch } : {};
  const series = await askSeries(wantedColumns.peek(), since);
  movies.apply(series);
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

async function refreshStatus(): Promise<void> {
  try {
    [status.value, workers.value] = await Promise.all([api.status(), api.workers()]);
    // Whatever their status is now: after a change of settings all are to run again, and none is processed.
    const done = { filter: "run.doneAt:0..", sort: "-run.doneAt", pageSize: LATEST_COUNT };
    latest.value = (await api.items(done)).items;
    connection.value = { state: "connected", text: "" };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    connection.value = { state: "lost", text: lostText(error) };
  }
  await Promise.all([
    optional(api.alarms, (value) => {
      alarms.value = value;
    }),
    refreshColumns(),
  ]);
}

async function refreshColumns(): Promise<void> {
  if (columnInfos.peek().length === 0)
    await optional(api.columns, (value) => {
      columnInfos.value = value;
    });
}

/** What is shown besides the status; while it cannot be had, the last known stays. */
async function optional<T>(ask: () => Promise<T>, take: (value: T) => void): Promise<void> {
  try {
    take(await ask());
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
  }
}

function lostText(error: ProblemError): string {
  if (error.status === 0)
    return "No connection to warpcore. The page shows the last known state and goes on by itself.";
  if (error.loggedOut) return "The login has expired. Sign in again; the page then goes on.";
  return `${error.message}. The page shows the last known state and goes on by itself.`;
}

const refreshSession = throttled(refreshStatus, STATUS_EVERY_MS / 2);

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
      if (topic !== "worker.heartbeat" && topic !== "task.progress") refreshSession();
    },
    onScheduler: (connected) => {
      refreshSession();
      if (connected) tell("hello", null);
    },
    onLost: refreshSession,
  });
}

/** Ask now, after an action of the operator. */
export { refreshMovies, refreshSession };
