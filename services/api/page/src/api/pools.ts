/** Pools of workers on a batch system, as the API tells them. */
import { getJson, inPath, sendJson } from "./client";

export interface Pool {
  name: string;
  /** The batch system. */
  executor: string;
  minimum: number;
  maximum: number;
  /** 0: nobody has set the limits, those of the pool's file hold. */
  revision: number;
  /** Whether the pool goes by these limits already. */
  takenOver: boolean;
  /** How many workers it finds right now. */
  wanted: number;
  /** Its workers that are there. */
  registered: number;
  queued: number;
  running: number;
  submittedLastHour: number;
  silentSeconds: number;
  problems: string[];
  /** The last lines of the job that died last. */
  log: string[];
}

/** The most workers that a pool may have, as `bus/limits.py` says. */
export const LARGEST_POOL = 1000;

/** What is to change; what is left out stays. */
export interface PoolChange {
  minimum?: number;
  maximum?: number;
  /** Submit jobs again, where the pool has stopped. */
  resume?: boolean;
}

export const poolsApi = {
  all: async () => (await getJson<{ pools: Pool[] }>("/api/pools")).pools,
  change: (name: string, change: PoolChange, by: string) =>
    sendJson<Pool>("PATCH", `/api/pools/${inPath(name)}`, { ...change, by }),
};
