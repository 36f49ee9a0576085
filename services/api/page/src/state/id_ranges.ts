/** Sets of movies in a URL: ranges of their numbers, each as the distance from the one before, in base 36. */

const MOST_CHARACTERS = 16_000;

/** `12 to 15, 20`: "c-3.5". Null where the text would be too long for a link. */
export function idsText(ids: Iterable<number>): string | null {
  const sorted = Float64Array.from(ids).sort();
  const parts: string[] = [];
  let before = 0;
  for (let place = 0; place < sorted.length; place++) {
    const first = sorted[place]!;
    while (sorted[place + 1] === sorted[place]! + 1) place++;
    const last = sorted[place]!;
    parts.push((first - before).toString(36) + (last > first ? `-${(last - first).toString(36)}` : ""));
    before = last;
  }
  const text = parts.join(".");
  return text.length <= MOST_CHARACTERS ? text : null;
}

const MOST_IDS = 10_000_000;

/** The numbers that a text names, as far as it can be read. */
export function idsOf(text: string): Set<number> {
  const ids = new Set<number>();
  let before = 0;
  for (const part of text.split(".")) {
    const match = /^([0-9a-z]+)(?:-([0-9a-z]+))?$/.exec(part);
    if (match === null) break;
    const first = before + Number.parseInt(match[1]!, 36);
    before = first + (match[2] ? Number.parseInt(match[2], 36) : 0);
    if (before - first + ids.size > MOST_IDS) break;
    for (let id = first; id <= before; id++) ids.add(id);
  }
  return ids;
}
