/** Requests about settings, and what they answer. Names of settings are those of files and the command line. */
import { address, getJson, inPath, sendJson } from "./client";

/** Settings by section: `{ctf: {voltage: 300}}`. */
export type Sections = Record<string, Record<string, unknown>>;

/** A setting as JSON Schema describes it, with warpcore's `unit`, `reach` and `unset`. */
export interface SettingSchema {
  type?: string;
  anyOf?: SettingSchema[];
  enum?: unknown[];
  items?: SettingSchema;
  description?: string;
  default?: unknown;
  unit?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  reach?: string;
  /** What null stands for, in two or three words. */
  unset?: string;
}

export interface SettingsSchema {
  properties: Record<string, { $ref: string }>;
  $defs: Record<string, { description?: string; properties: Record<string, SettingSchema> }>;
}

/** What a change of settings does, counted in movies that have results. */
export interface SettingsEffect {
  changed: string[];
  /** By step, how many movies run it. */
  runs: Record<string, number>;
  movies: number;
  kept: number;
  rejected: number;
  accepted: number;
  retried: number;
}

/** One change of the settings: `changed` holds the old and the new value by name. */
export interface Revision {
  revision: number;
  at: string;
  by: string;
  changed: Record<string, readonly [unknown, unknown]>;
}

export interface Profile {
  name: string;
  at: string;
  by: string;
  settings: Sections;
}

const profilePath = (name: string) => `/api/settings/profiles/${inPath(name)}`;

export const settingsApi = {
  schema: () => getJson<SettingsSchema>("/api/settings/schema"),
  current: () => getJson<Sections>("/api/settings"),
  preview: (changes: Sections) => sendJson<SettingsEffect>("POST", "/api/settings/preview", changes),
  change: (changes: Sections, by: string) => sendJson<Sections>("PATCH", address("/api/settings", { by }), changes),
  history: () => getJson<Revision[]>("/api/settings/history"),
  profiles: async () => (await getJson<{ profiles: Profile[] }>("/api/settings/profiles")).profiles,
  profile: (name: string) => getJson<Profile>(profilePath(name)),
  saveProfile: (name: string, by: string) => sendJson<Profile>("PUT", profilePath(name), { by }),
  deleteProfile: (name: string) => sendJson<Profile>("DELETE", profilePath(name)),
};
