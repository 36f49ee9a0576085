/** The newest movie with its pictures, and the values of the last ones, filtered out or not. */
import type { Movie } from "../../api/types";
import { Badge, Empty, Facts, Panel, TableHead } from "../../parts/controls";
import { Picture } from "../../parts/picture";
import { columnText, resultValue } from "../../parts/values";
import { movies, moviesVersion } from "../../state/movies";
import { hrefOf } from "../../state/route";
import { columnByName, headingOf, latest } from "../../state/session";

/** What an operator looks at first, with as many decimals as are read at a glance. */
const SHOWN: readonly [column: string, digits: number][] = [
  ["ctf.defocusUm", 2],
  ["ctf.resolutionAngstrom", 1],
  ["motion.accumulatedTotalAngstrom", 1],
  ["picking.count", 0],
];

/** Headings and values of a movie. */
function shown(movie: Movie): [string, string][] {
  return SHOWN.map(([column, digits]) => [
    headingOf(column),
    columnText(resultValue(movie, column), columnByName.value.get(column), digits),
  ]);
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
          {movie.status === "outdated" && <Badge word={movie.status} />}
          <div class="newest">
            <NewestPictures movie={movie} />
          </div>
          <Facts facts={shown(movie)} />
        </>
      )}
    </Panel>
  );
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
        <TableHead words={["movie", "status"]} numbers={SHOWN.map(([column]) => headingOf(column))} />
        <tbody>
          {movies.map((movie) => (
            <tr key={movie.id}>
              <th scope="row">
                <a href={hrefOf("movies", movie.name)}>{movie.name}</a>
              </th>
              <td>
                <Badge word={movie.status} />
              </td>
              {shown(movie).map(([, text], place) => (
                <td key={place} class="number">
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
