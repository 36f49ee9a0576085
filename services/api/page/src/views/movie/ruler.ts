/** Lengths on a micrograph: the scale bar, and what the ruler says. */
import { decimalsIn, withUnit } from "../../parts/format";
import type { Place } from "./view_transform";

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
  const whole = Number(angstrom.toPrecision(1));
  if (angstrom < 100) return withUnit(whole, "Å", decimalsIn(whole));
  return angstrom < 10_000 ? withUnit(angstrom / 10, "nm") : withUnit(angstrom / 10_000, "µm");
}

/** A measured length in both units that the field uses. */
export function lengthText(angstrom: number): string {
  return `${withUnit(angstrom, "Å", angstrom < 100 ? 1 : 0)} (${withUnit(angstrom / 10, "nm", angstrom < 1000 ? 2 : 1)})`;
}

/** The length between two places of the average, Å. */
export function distanceAngstrom(from: Place, to: Place, pixelSizeAngstrom: number): number {
  return Math.hypot(to.x - from.x, to.y - from.y) * pixelSizeAngstrom;
}
