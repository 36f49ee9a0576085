/** What the filter keeps with the limits that are tried out, counted in the page as they move. */
import { computed } from "@preact/signals";
import { counted, formatCount } from "../../parts/format";
import { drafts, limitsInForce } from "../../state/filter_limits";
import { movies, moviesVersion } from "../../state/movies";
import { columnInfos } from "../../state/session";
import { settings } from "../../state/settings";
import { judgedMovies, limitedBy, PARTICLES } from "./filtering";
import { type Kept, KeptCounter, type LimitedColumn } from "./kept";

/** Movies as they are judged, and the limits in force; the same while an operator drags. */
const inForce = computed(() => {
  moviesVersion.value;
  const limited = limitedBy(movies, columnInfos.value, settings.value, limitsInForce);
  return { judged: judgedMovies(movies), particles: movies.numbers(PARTICLES) ?? null, limited };
});

/** The columns whose limits are tried out, as one text: equal texts while only the limits move. */
const tried = computed(() => [...drafts.value.keys()].join());

const counter = computed(() => {
  const names = tried.value.split(",");
  const { judged, particles, limited } = inForce.value;
  const others = [...limited].filter(([name]) => !names.includes(name)).map(([, column]) => column);
  return new KeptCounter(judged, particles, others);
});

/** What stays with the limits that are tried out. */
export const kept = computed<Kept>(() => {
  const { limited } = inForce.value;
  const changed = [...drafts.value].map(([name, limits]) => ({ ...limited.get(name), ...limits }));
  return counter.value.count(changed.filter((one): one is LimitedColumn => one.values !== undefined));
});

/** "keeps 1 204 of 1 391 movies, 311 000 particles". */
export function keptText({ movies: count, total, particles }: Kept): string {
  const text = `keeps ${formatCount(count)} of ${counted(total, "movie")}`;
  return particles > 0 ? `${text}, ${formatCount(roughly(particles))} particles` : text;
}

/** A count to three figures: nobody reads more while a line moves. */
function roughly(count: number): number {
  return count < 1000 ? count : Number(count.toPrecision(3));
}
