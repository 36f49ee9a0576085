/** How a limit's line answers to the pointer and to keys. */
import type { Side } from "../../state/filter_limits";
import { roundStep, toStep } from "./axis_steps";

/** A limit dragged so far beyond its edge is taken away, px. */
const BEYOND_PX = 6;

/** Keys move by one step, page keys by ten. */
const KEY_STEPS: Record<string, number> = {
  ArrowUp: 1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowLeft: -1,
  PageUp: 10,
  PageDown: -10,
};

/** The round step by which a limit moves on an axis of `span` over `length` px; no finer than the column's digits. */
export function limitStep(span: number, length: number, digits: number): number {
  return Math.max(roundStep(span / Math.max(length, 1)), 10 ** -digits);
}

/** Where a limit stands along its axis, from 0 to 1; one that is not set, or lies beyond, at its edge. */
export function shareOf(value: number | null, side: Side, low: number, high: number): number {
  if (value === null) return side === "low" ? 0 : 1;
  return Math.min(Math.max((value - low) / (high - low), 0), 1);
}

/** The limit that a line at `share` of its axis means; null beyond the edge where it waits. */
export function limitAt(
  share: number,
  side: Side,
  low: number,
  high: number,
  step: number,
  length: number,
): number | null {
  const beyond = BEYOND_PX / length;
  if (side === "low" ? share < -beyond : share > 1 + beyond) return null;
  return toStep(low + Math.min(Math.max(share, 0), 1) * (high - low), step);
}

/** The limit after a key; undefined where the key does nothing. */
export function limitByKey(
  key: string,
  value: number | null,
  side: Side,
  low: number,
  high: number,
  step: number,
): number | null | undefined {
  if (key === "Delete" || key === "Backspace") return null;
  if (key === "Home") return toStep(low, step);
  if (key === "End") return toStep(high, step);
  const steps = KEY_STEPS[key];
  if (steps === undefined) return undefined;
  return toStep((value ?? (side === "low" ? low : high)) + steps * step, step);
}
