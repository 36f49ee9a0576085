/** Lengths on a micrograph: the scale bar, and what the ruler says. */
import { formatNumber } from "../../parts/format";
import type { Place } from "./view_transform";

const THIN_SPACE = "\u202f";

export interface ScaleBar {
  lengthAngstrom: number;
  /** px of the screen. */
  lengthPx: number;
  text: string;
}

/** The longest bar of 1, 2 or 5 times a power of ten Å that is no longer than `mostPx` px of the screen. */
export function scaleBar(angstromPerPx: number, mostPx: number): ScaleBar {
  const most = angstromPerPx * mostPx;
  const power = 10 ** Math.floor(Math.log10(most));
  const lengthAngstrom = power * ([5, 2].find((step) => step * power <= most) ?? 1);
  return { lengthAngstrom, lengthPx: lengthAngstrom / angstromPerPx, text: barText(lengthAngstrom) };
}

function barText(angstrom: number): string {
  if (angstrom < 100) return `${Number(angstrom.toPrecision(1))}${THIN_SPACE}Å`;
  if (angstrom < 10_000) return `${formatNumber(angstrom / 10)}${THIN_SPACE}nm`;
  return `${formatNumber(angstrom / 10_000)}${THIN_SPACE}µm`;
}

/** A measured length in both units that the field uses. */
export function lengthText(angstrom: number): string {
  return `${formatNumber(angstrom, angstrom < 100 ? 1 : 0)}${THIN_SPACE}Å (${formatNumber(angstrom / 10, angstrom < 1000 ? 2 : 1)}${THIN_SPACE}nm)`;
}

/** The length between two places of the average, Å. */
export function distanceAngstrom(from: Place, to: Place, pixelSizeAngstrom: number): number {
  return Math.hypot(to.x - from.x, to.y - from.y) * pixelSizeAngstrom;
}
