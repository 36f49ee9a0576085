/** The filter's limits: those in force, and those that the operator tries out before they are applied. */
import { computed, signal } from "@preact/signals";
import type { Sections } from "../api/settings";
import type { ColumnInfo } from "../api/types";
import { columnByName, columnInfos } from "./session";
import { settings } from "./settings";

/** The limits of one column; null: no limit on that side. A value equal to a limit passes. */
export interface Limits {
  low: number | null;
  high: number | null;
}

export type Side = keyof Limits;

const NONE: Limits = { low: null, high: null };
export const SIDES = ["low", "high"] as const;
const SECTION = "filter";
const OTHERS = "limits";

/** The name of a column in settings, which keep snake case: `ctf.iceRing` is `ctf.ice_ring`. */
export function settingsName(column: string): string {
  return column.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Limits by column that have no setting of their own: [lowest, highest]. */
type OtherLimits = Record<string, [number | null, number | null]>;

function othersIn(settings: Sections): OtherLimits {
  return (settings[SECTION]?.[OTHERS] ?? {}) as OtherLimits;
}

/** The setting of its own that a column's limit has; undefined where it stands in `filter.limits`. */
function settingOf(column: ColumnInfo, side: Side): string | undefined {
  const limit = column.limits.find(({ upper }) => upper === (side === "high"));
  return limit?.setting.slice(limit.setting.indexOf(".") + 1);
}

/** Whether a column holds measured numbers, which the filter can limit. */
export function isMeasured({ kind, name }: ColumnInfo): boolean {
  return kind === "number" && name.includes(".");
}

/** The limits of a column in these settings. */
export function limitsIn(settings: Sections, column: ColumnInfo): Limits {
  const [low, high] = othersIn(settings)[settingsName(column.name)] ?? [null, null];
  const own = (side: Side) => {
    const setting = settingOf(column, side);
    return setting === undefined ? null : ((settings[SECTION]?.[setting] as number | null | undefined) ?? null);
  };
  return { low: stricter(own("low"), low, Math.max), high: stricter(own("high"), high, Math.min) };
}

function stricter(one: number | null, other: number | null, of: (...values: number[]) => number): number | null {
  const limits = [one, other].filter((limit) => limit !== null);
  return limits.length > 0 ? of(...limits) : null;
}

/** The change of settings that puts these limits in force. */
export function filterPatch(
  settings: Sections,
  columns: ReadonlyMap<string, ColumnInfo>,
  drafts: ReadonlyMap<string, Limits>,
): Sections {
  const section: Record<string, unknown> = {};
  const others = { ...othersIn(settings) };
  for (const [name, limits] of drafts) {
    const column = columns.get(name);
    if (column === undefined) continue;
    const rest = { ...NONE };
    for (const side of SIDES) {
      const setting = settingOf(column, side);
      if (setting === undefined) rest[side] = limits[side];
      else section[setting] = limits[side];
    }
    delete others[settingsName(name)];
    if (rest.low !== null || rest.high !== null) others[settingsName(name)] = [rest.low, rest.high];
  }
  if (JSON.stringify(others) !== JSON.stringify(othersIn(settings))) section[OTHERS] = others;
  return { [SECTION]: section };
}

/** Limits that are tried out, by column; only those that differ from the ones in force. */
export const drafts = signal<ReadonlyMap<string, Limits>>(new Map());

/** The columns that the filter limits now. */
export const limitedColumns = computed(() =>
  columnInfos.value.filter((one) => {
    const { low, high } = limitsIn(settings.value, one);
    return low !== null || high !== null;
  }),
);

/** The limits of a column that are in force. */
export function limitsInForce(name: string): Limits {
  const column = columnByName.value.get(name);
  return column ? limitsIn(settings.value, column) : NONE;
}

/** The limits of a column as they are tried out, else those in force. */
export function limitsOf(name: string): Limits {
  return drafts.value.get(name) ?? limitsInForce(name);
}

/** Try out a limit. */
export function draft(name: string, side: Side, value: number | null): void {
  const inForce = limitsInForce(name);
  const limits = { ...(drafts.peek().get(name) ?? inForce), [side]: value };
  const next = new Map(drafts.peek());
  if (limits.low === inForce.low && limits.high === inForce.high) next.delete(name);
  else next.set(name, limits);
  drafts.value = next;
}

/** The change of settings that puts the drafts in force. */
export function draftsPatch(): Sections {
  return filterPatch(settings.peek(), columnByName.peek(), drafts.peek());
}
