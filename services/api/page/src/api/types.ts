/** What the API answers, as far as the page reads it. Times are ISO 8601 in UTC, numbers in the units of their names. */

export type MovieStatus =
  | "unprocessed"
  | "outdated"
  | "queued"
  | "processing"
  | "processed"
  | "filtered_out"
  | "failed";
export type Selection = "auto" | "include" | "exclude";
export type WorkerState = "starting" | "idle" | "busy" | "lost" | "set_aside";

export interface Failure {
  kind: string;
  step: string;
  message: string;
  host: string;
}

export interface Movie {
  id: number;
  name: string;
  path: string;
  size: number;
  fileModified: string | null;
  status: MovieStatus;
  selection: Selection;
  priority: number;
  failure: Failure | null;
  filterReasons: string[];
  results: Record<string, Record<string, unknown>>;
  worker: string | null;
  outdatedSteps: string[];
}

/** A task that a worker carries out now; `fraction` of its step from 0 to 1. */
export interface RunningTask {
  movie: string;
  worker: string;
  lease: number;
  purpose: string;
  step: string;
  fraction: number;
  message: string;
}

export interface Learnt {
  step: string;
  count: number;
  movies: string[];
  id: string;
  text: string;
  failed: boolean;
}

/** How long a stage from found to done took for the last movies. */
export interface StageTime {
  stage: string;
  medianSeconds: number;
  p90Seconds: number;
  movies: number;
}

/** Which waiting movie is next. */
export type Order = "normal" | "oldest" | "latest" | "alternate";

export interface ProcessingStatus {
  isProcessing: boolean;
  /** Who paused it: a person, or the session itself, which had nothing to do. */
  pausedBy: "person" | "idle" | null;
  /** How the session goes, in one sentence. */
  summary: string;
  order: Order;
  totalItems: number;
  itemsLeft: number;
  counts: Partial<Record<MovieStatus, number>>;
  ratePerHour: number | null;
  rateWindowSeconds: number;
  /** Movies an hour of which only some steps ran again. */
  rerunsPerHour: number | null;
  workers: number;
  running: RunningTask[];
  dataDirectory: string;
  processingDirectory: string;
  warnings: string[];
  learnt: Learnt[];
  /** Of the movies that were done since the scheduler was started. */
  latency: StageTime[];
  seq: number;
}

/** Room in the file system of one of the session's directories; null where it is not there or does not answer. */
export interface DiskRoom {
  directory: "data" | "processing";
  path: string;
  freeBytes: number | null;
  totalBytes: number | null;
}

/** One of the session's own files, which list all movies. */
export interface SessionFile {
  name: string;
  bytes: number;
  description: string;
  url: string;
}

export interface WorkerLoad {
  hostMemoryMb?: number;
  gpuMemoryMb?: number;
  gpuTemperatureC?: number;
  gpuUtilisationPercent?: number;
  gpuPowerW?: number;
  gpuEccCorrected?: number;
  gpuEccUncorrected?: number;
  gpuThrottling?: string[];
}

export interface Worker {
  id: string;
  host: string;
  pid: number;
  device: string;
  deviceMemoryMb: number;
  versions: Record<string, string>;
  state: WorkerState;
  movies: string[];
  silentSeconds: number;
  done: number;
  failed: number;
  load: WorkerLoad;
  reason: string;
  warnings: string[];
}

export interface Alarm {
  id: string;
  severity: "warning" | "critical";
  /** A few words for headings; `text` tells all. */
  title: string;
  text: string;
  since: string;
  subject: string;
  acknowledged: boolean;
}

/** A column of the movies: its heading and unit as the field writes them, and the settings that limit it. */
export interface ColumnInfo {
  name: string;
  heading: string;
  description: string;
  unit: string;
  digits: number;
  step: string;
  kind: string;
  main: boolean;
  limits: { setting: string; upper: boolean }[];
  /** Whether the filter rejects a movie whose step found nothing, where there is a limit. */
  failed: boolean;
}

/** A choice for many movies that can be taken back by `undo`. */
export interface SelectionChange {
  undo: string;
  selection: Selection;
  movies: number;
  at: string;
  by: string;
}

export interface MoviesPage {
  items: Movie[];
  totalItems: number;
  page: number;
  pageSize: number;
  nextCursor?: string | null;
}
