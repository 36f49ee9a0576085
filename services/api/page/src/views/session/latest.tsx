/** The newest movie with its pictures, and the values of the last ones, filtered out or not. */
import type { Movie } from "../../api/types";
import { Badge, Empty, Facts, Panel } from "../../parts/controls";
import { withUnit } from "../../parts/format";
import { Picture } from "../../parts/picture";
import { resultValue } from "../../parts/values";
import { movies, moviesVersion } from "../../state/movies";
import { hrefOf } from "../../state/route";
import { latest } from "../../state/session";
import { STATUS_WORDS } from "./summary";

/** What an operator looks at first, with the words of this view. */
const SHOWN: readonly [column: string, words: string, unit: string, digits: number][] = [
  ["ctf.defocusUm", "defocus", "µm", 2],
  ["ctf.resolutionAngstrom", "CTF fit", "Å", 1],
  ["motion.accumulatedTotalAngstrom", "motion", "Å", 1],
  ["picking.count", "picks", "", 0],
];

function shown(movie: Movie): [string, string][] {
  return SHOWN.map(([column, words, unit, digits]) => [words, withUnit(resultValue(movie, column), unit, digits)]);
}

/** The number of a movie's present results, so that the browser keeps their pictures; undefined while it is unknown. */
function generationOf(movie: Movie): number | undefined {
  moviesVersion.value;
  const generation = movies.number("generation", movies.row(movie.id));
  return Number.isNaN(generation) ? undefined : generation;
}

export function NewestMovie() {
  const movie = latest.value[0];
  return (
    <Panel title="Newest movie">
      {movie === undefined ? (
        <Empty>No movie has been processed yet.</Empty>
      ) : (
        <>
          <a class="newest-name" href={hrefOf("movies", movie.name)}>
            {movie.name}
          </a>{" "}
          {movie.status === "outdated" && <Status movie={movie} />}
          <div class="newest">
            <NewestPictures movie={movie} />
          </div>
          <Facts facts={shown(movie)} />
        </>
      )}
    </Panel>
  );
}

function Status({ movie: { status } }: { movie: Movie }) {
  return <Badge word={status} text={STATUS_WORDS.get(status) ?? status} />;
}

function NewestPictures({ movie }: { movie: Movie }) {
  const shared = { name: movie.name, generation: generationOf(movie) };
  const picked = resultValue(movie, "picking.count") > 0;
  return (
    <>
      {picked ? (
        <Picture {...shared} kind="picks" alt={`Average of ${movie.name} with its picks`} />
      ) : (
        <Picture {...shared} kind="average" alt={`Average of ${movie.name}`} query={{ size: 512 }} />
      )}
      <Picture {...shared} kind="spectrum" alt={`Power spectrum of ${movie.name}`} />
      <Picture {...shared} kind="motion" alt={`Motion of ${movie.name}`} />
    </>
  );
}

export function LatestMovies() {
  const movies = latest.value;
  if (movies.length === 0) return null;
  return (
    <Panel title="Last processed">
      <table class="values">
        <thead>
          <tr>
            <th scope="col">movie</th>
            <th scope="col">status</th>
            {SHOWN.map(([column, words]) => (
              <th key={column} scope="col" class="number">
                {words}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {movies.map((movie) => (
            <tr key={movie.id}>
              <th scope="row">
                <a href={hrefOf("movies", movie.name)}>{movie.name}</a>
              </th>
              <td>
                <Status movie={movie} />
              </td>
              {shown(movie).map(([words, text]) => (
                <td key={words} class="number">
                  {text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
