/** What the operator shows over averages; it stays from movie to movie. */
import { signal } from "@preact/signals";
import type { Tool } from "./average_viewer";
import type { Contrast } from "./tile_cache";

export const withPicks = signal(true);
export const withCandidates = signal(false);
export const withJunk = signal(false);
export const tool = signal<Tool>("move");
export const contrast = signal<Contrast>({ low: 1, high: 99, lowpassAngstrom: 0 });
