/** Rings at resolutions on a power spectrum, which is a square with frequency 0 in its middle. */

export interface Ring {
  resolutionAngstrom: number;
  /** Part of half the picture's width, 0 to 1. */
  radius: number;
}

const RESOLUTIONS_ANGSTROM = [50, 30, 20, 15, 10, 8, 6, 5, 4, 3.5, 3, 2.5, 2, 1.7, 1.5, 1.3, 1.2, 1, 0.8];
const LEAST_GAP = 0.11;

/** Rings that are far enough apart to be read, up to the edge at frequency `edge` (1/Å). */
export function ringsUpTo(edge: number): Ring[] {
  const rings: Ring[] = [];
  for (const resolutionAngstrom of RESOLUTIONS_ANGSTROM) {
    const radius = 1 / (resolutionAngstrom * edge);
    if (radius <= 1 && radius - (rings.at(-1)?.radius ?? 0) >= LEAST_GAP) rings.push({ resolutionAngstrom, radius });
  }
  return rings;
}

/** The resolution (Å) at a place of the picture; x and y from -1 to 1. */
export function resolutionAt(x: number, y: number, edge: number): number {
  return 1 / (Math.hypot(x, y) * edge);
}
