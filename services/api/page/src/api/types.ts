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
  status: MovieStatus;
  selection: Selection;
  priority: number;
  failure: Failure | null;
  filterReasons: string[];
  results: Record<string, Record<string, unknown>>;
  worker: string | null;
  outdatedSteps: string[];
}

/** A setting that a movie may tell itself, as the movie is processed; `value` is null where nobody tells it. */
export interface ResolvedValue {
  name: string;
  value: number | null;
  /** `setting`, `metadata: FILE`, `header` or `assumed`; empty: nobody. */
  source: string;
  /** What contradicts it; empty: nothing. */
  conflict: string;
}

/** A movie with what is told of it alone. */
export interface MovieDetails extends Movie {
  resolved: ResolvedValue[];
  /** What must be set before it can be processed; empty: nothing. */
  waitsFor: string;
  /** What its metadata say of its recording; empty where there are none. */
  acquisition: { grid?: string; square?: string; hole?: string; area?: string; shot?: string };
  /** Its number in all STAR files. */
  opticsGroup: number;
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
  /** Why no movies are given to workers although nobody paused: the disk is full, or a folder is away. */
  holds: string[];
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
  warnings: string[];
  /** Those of the warnings that are no alarms: averages that are not taken, values that are assumed. */
  notes: string[];
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
  /** Why it is lost, set aside, or given no movies; empty where all is well. */
  reason: string;
  warnings: string[];
  /** POOL/JOB where a pool has started it; empty elsewhere. */
  pool: string;
  /** Since it last had a movie, s; 0 while it has one. */
  idleSeconds: number;
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
}

/** Medians over the movies that have a value. */
export interface PlaceMedians {
  resolutionAngstrom: number | null;
  earlyStepAngstrom: number | null;
  iceThickness: number | null;
  particles: number | null;
  defocusUm: number | null;
  offTargetUm: number | null;
}

/** How the movies of a square or hole are. */
export interface Place {
  movies: number;
  done: number;
  good: number;
  goodShare: number | null;
  medians: PlaceMedians;
  verdict: "few" | "good" | "middling" | "poor";
  /** The verdict in words. */
  advice: string;
}

export interface Square extends Place {
  square: string;
  holes: (Place & { hole: string | null })[];
}

export interface Squares {
  seq: number;
  squares: Square[];
  withoutSquare: number;
}
