/** What a person types as a pool's limits, and what becomes of it. */
import { LARGEST_POOL, type Pool, type PoolChange } from "../../api/pools";

/** Limits as they are typed; null: as the pool has them. */
export interface Draft {
  minimum: string | null;
  maximum: string | null;
}

export const NOTHING_TYPED: Draft = { minimum: null, maximum: null };

/** The limits that differ from the pool's, or in one line why they cannot be; null where nothing differs. */
export function changeOf(draft: Draft, pool: Pick<Pool, "minimum" | "maximum">): PoolChange | string | null {
  const minimum = typed(draft.minimum, pool.minimum);
  const maximum = typed(draft.maximum, pool.maximum);
  if (minimum === null || maximum === null) return `A limit is a whole number from 0 to ${LARGEST_POOL}.`;
  if (minimum > maximum) return `At least ${minimum} and at most ${maximum} workers cannot be.`;
  const change: PoolChange = {};
  if (minimum !== pool.minimum) change.minimum = minimum;
  if (maximum !== pool.maximum) change.maximum = maximum;
  return Object.keys(change).length > 0 ? change : null;
}

function typed(text: string | null, now: number): number | null {
  if (text === null) return now;
  const number = Number(text);
  return text.trim() !== "" && Number.isInteger(number) && number >= 0 && number <= LARGEST_POOL ? number : null;
}
