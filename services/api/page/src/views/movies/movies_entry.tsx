/** The movies as a list, or the one that the URL names. */
import { route } from "../../state/route";
import { MovieView } from "../movie/movie_view";
import { MoviesView } from "./movies_view";

export function MoviesEntry() {
  const { subject } = route.value;
  return subject ? <MovieView key={subject} name={subject} /> : <MoviesView />;
}
