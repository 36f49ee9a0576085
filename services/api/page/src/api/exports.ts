/** Requests about export jobs, and what they answer. */
import { getJson, inPath, sendJson } from "./client";

export type ExportKind = "micrographs" | "particles";
export type JobState = "running" | "collecting" | "done" | "cancelled" | "failed" | "deleting";

export interface Job {
  job: string;
  kind: ExportKind;
  state: JobState;
  total: number;
  done: number;
  failed: number;
  /** Where its files lie, below the processing directory; "" for a job of a version that gave it no folder. */
  folder: string;
  options: Record<string, unknown>;
  /** Particles that are written, and picks whose box would leave the micrograph; null where none was asked for. */
  particles: number | null;
  particlesAtEdge: number | null;
  /** A page of its files, below the processing directory; lists of jobs leave them and `failures` out. */
  files: string[];
  failures: { name: string; message: string }[];
  nextAfter: number | null;
}

const jobPath = (job: string) => `/api/export/${inPath(job)}`;

const listedPath = (job: string) => `/api/exports/${inPath(job)}`;

/** Where all files of a job can be downloaded as one tar. */
export function archivePath(job: string): string {
  return `${listedPath(job)}/archive`;
}

/** Where a job's particles.star can be downloaded. */
export function summaryPath(job: string): string {
  return `${listedPath(job)}/particles.star`;
}

/** Where a file of a job can be downloaded. */
export function jobFilePath(job: string, file: string): string {
  return `${jobPath(job)}/files/${inPath(file)}`;
}

export const exportsApi = {
  jobs: async () => (await getJson<{ jobs: Job[] }>("/api/exports")).jobs,
  job: (job: string, after = 0) => getJson<Job>(jobPath(job), { after }),
  cancel: (job: string) => sendJson<Job>("DELETE", jobPath(job)),
  delete: (job: string) => sendJson<Job>("DELETE", listedPath(job)),
  /** `names` null: all movies that are processed and pass the filter. */
  start: (kind: ExportKind, options: Record<string, unknown>, names: readonly string[] | null) =>
    sendJson<Job>("POST", `/api/export/${kind}`, { options, names }),
};
