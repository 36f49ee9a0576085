/** Requests about tools of the picker: a particle diameter proposed, the network trained on edited picks. */
import { getJson, sendJson } from "./client";
import type { Sections } from "./settings";

export type JobState = "none" | "running" | "done" | "failed" | "cancelled";

interface Job {
  state: JobState;
  /** Why it has failed. */
  problem: string;
  movies: string[];
}

export interface Training extends Job {
  steps: number;
  /** Grows while it runs. */
  curve: { step: number; loss: number }[];
  /** Why no network can be trained here; null or missing where one can. */
  unavailable?: string | null;
  /** Settings with which the trained network picks, once it is done. */
  settings: Sections | null;
}

export interface Proposal {
  diameterAngstrom: number;
  shape: string;
  evidence: number;
  particles: number;
}

export interface Suggestion extends Job {
  proposals: Proposal[];
}

export const pickerApi = {
  training: (signal?: AbortSignal) => getJson<Training>("/api/picker/train", {}, signal),
  train: () => sendJson<Training>("POST", "/api/picker/train", {}),
  cancelTraining: () => sendJson<Training>("DELETE", "/api/picker/train"),
  suggestion: (signal?: AbortSignal) => getJson<Suggestion>("/api/picker/suggest", {}, signal),
  suggest: (names: readonly string[]) => sendJson<Suggestion>("POST", "/api/picker/suggest", { names }),
  cancelSuggestion: () => sendJson<Suggestion>("DELETE", "/api/picker/suggest"),
};
