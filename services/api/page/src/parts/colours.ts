/** The theme's colours for what is drawn on canvas, and which colour a word of a column has. */
import { computed } from "@preact/signals";
import { themeVersion } from "../state/preferences";

/** So many words have a colour of their own; the others share one. */
export const MOST_COLOURS = 8;

const OWN_TOKENS: Record<string, string> = {
  processed: "processed",
  filtered_out: "filtered-out",
  failed: "failed",
  processing: "running",
  queued: "running",
  outdated: "outdated",
  unprocessed: "waiting",
  include: "processed",
  exclude: "failed",
  auto: "waiting",
};

/** The token of a word's colour: statuses have their own, other words the next of a row of colours. */
export function wordToken(word: string, place: number): string {
  if (word in OWN_TOKENS) return OWN_TOKENS[word]!;
  return place < MOST_COLOURS ? `category-${place + 1}` : "muted";
}

const read = computed(() => {
  themeVersion.value;
  const style = getComputedStyle(document.documentElement);
  const known = new Map<string, string>();
  return (token: string) => {
    let colour = known.get(token);
    if (colour === undefined) {
      colour = style.getPropertyValue(`--${token}`).trim();
      known.set(token, colour);
    }
    return colour;
  };
});

/** The colour of a token of `style/tokens.css` in the present theme, such as `#4fb8a0`. */
export function colourOf(token: string): string {
  return read.value(token);
}

/** Red, green and blue of `#4fb8a0`, 0 to 255. */
export function channelsOf(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
