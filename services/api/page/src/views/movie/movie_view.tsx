/** One movie: its average with picks, spectrum, tracks, values, story and files, and what can be done with it. */
import { useEffect } from "preact/hooks";
import { movieApi } from "../../api/movie";
import type { Movie, MovieDetails } from "../../api/types";
import { Empty, Panel } from "../../parts/controls";
import { type KeyBinding, useKeys } from "../../parts/keys";
import { currentId } from "../../state/movie_list";
import { notify } from "../../state/notices";
import { go, route } from "../../state/route";
import { undoLast } from "../../state/selection";
import { AverageViewer, type Tool } from "./average_viewer";
import { FailurePanel } from "./failure_panel";
import { FilesPanel } from "./files_panel";
import { clicked } from "./hand_edits";
import { choose, goTo, Heading, retry } from "./heading";
import { hasResults, type ShownMovie, useLoaded, useMovie } from "./movie_state";
import { PickerPanel } from "./picker_panel";
import { particleRadiusPx } from "./picks_model";
import { PicksPanel } from "./picks_panel";
import { type PicksState, usePicks } from "./picks_state";
import { ProcessedWithPanel } from "./processed_with_panel";
import { SpectrumPanel } from "./spectrum_panel";
import { StoryPanel } from "./story_panel";
import { TracksPanel } from "./tracks_panel";
import { goToTry, TryPanel } from "./try_panel";
import { ValuesPanel } from "./values_panel";
import { contrast, tool, withCandidates, withJunk, withPicks } from "./viewer_choices";
import { toggle, ViewerToolbar } from "./viewer_toolbar";

/** Give it the name as key too: what it holds is of one movie. */
export function MovieView({ name }: { name: string }) {
  const shown = useMovie(name);
  const picks = usePicks(name, shown.version, hasResults(shown.movie, "picking"));
  useKeys(keysOf(name, shown, picks));
  const id = shown.movie?.id ?? -1;
  useEffect(() => {
    if (id >= 0) currentId.value = id;
  }, [id]);
  if (shown.movie === null) return <Empty>{shown.missing || "Loading."}</Empty>;
  return <Shown movie={shown.movie} shown={shown} picks={picks} />;
}

function Shown({ movie, shown, picks }: { movie: MovieDetails; shown: ShownMovie; picks: PicksState }) {
  const { name } = movie;
  const { index, version, reload } = shown;
  const generation = index?.generation;
  const curves = useLoaded((signal) => movieApi.curves(name, signal), name, version, hasResults(movie, "ctf"));
  const tracks = useLoaded((signal) => movieApi.tracks(name, signal), name, version, hasResults(movie, "motion"));
  const log = useLoaded((signal) => movieApi.log(name, signal), name, version);
  return (
    <div class="movie">
      <Heading movie={movie} reload={reload} />
      <div class="movie-columns">
        <div>
          {movie.failure !== null && <FailurePanel failure={movie.failure} onRetry={() => void retry(movie, reload)} />}
          <AveragePanel movie={movie} shown={shown} picks={picks} />
          <ProcessedWithPanel movie={movie} />
          <StoryPanel log={log} />
        </div>
        <div>
          <PicksPanel state={picks} />
          {movie.results.input && <PickerPanel name={name} />}
          <SpectrumPanel name={name} generation={generation} curves={curves} />
          <TracksPanel tracks={tracks} />
        </div>
        <div>
          <ValuesPanel movie={movie} version={version} />
          <FilesPanel files={index?.files ?? []} />
        </div>
      </div>
      <TryPanel movie={movie} generation={generation} />
    </div>
  );
}

function AveragePanel({
  movie,
  shown: { index },
  picks: state,
}: {
  movie: Movie;
  shown: ShownMovie;
  picks: PicksState;
}) {
  const average = index?.pictures.find(({ kind }) => kind === "average");
  const { picks, out, threshold, hand } = state;
  const pixelSizeAngstrom = Number(movie.results.input?.pixelSizeAngstrom ?? 1);
  const onPick = (at: readonly [number, number]) => {
    if (picks === null) return;
    const kept = picks.xPx.flatMap((x, i) =>
      picks.score[i]! >= threshold && !out[i] ? [[x, picks.yPx[i]!] as const] : [],
    );
    state.edit(clicked(hand, at, kept, particleRadiusPx(picks)));
  };
  return (
    <Panel title="Average">
      {average === undefined ? (
        <Empty>{index === null ? "Loading." : "None on disk: not processed yet, or the settings leave it out."}</Empty>
      ) : (
        <>
          <ViewerToolbar canPick={picks !== null} />
          <AverageViewer
            name={movie.name}
            generation={index?.generation}
            image={average}
            pixelSizeAngstrom={pixelSizeAngstrom}
            contrast={contrast.value}
            tool={picks === null && tool.value === "pick" ? "move" : tool.value}
            marks={
              picks !== null && withPicks.value
                ? { picks, out, threshold, hand, withCandidates: withCandidates.value }
                : null
            }
            withJunk={withJunk.value}
            onPick={onPick}
          />
        </>
      )}
    </Panel>
  );
}

function keysOf(name: string, { movie, reload }: ShownMovie, picks: PicksState): KeyBinding[] {
  const withMovie = (run: (movie: Movie) => void) => () => {
    if (movie !== null) run(movie);
  };
  const editing = tool.value === "pick";
  const undo = () => {
    if (!editing) void undoLast().then(reload);
    else if (picks.canUndo) picks.undo();
    else notify("No edit of picks is left to undo.");
  };
  const undoText = editing ? "Undo the last edit of picks" : "Undo the last choice of movies";
  const use = (next: Tool) => () => {
    tool.value = tool.peek() === next ? "move" : next;
  };
  return [
    { key: "ArrowRight", text: "Next movie", run: () => goTo(name, 1) },
    { key: "ArrowLeft", text: "Previous movie", run: () => goTo(name, -1) },
    { key: "j", text: "Next movie", run: () => goTo(name, 1) },
    { key: "k", text: "Previous movie", run: () => goTo(name, -1) },
    { key: "Escape", text: "All listed movies", run: () => go("movies", "", route.peek().query) },
    {
      key: "i",
      operates: true,
      text: "Include the movie",
      run: withMovie((one) => void choose(one, "include", reload)),
    },
    {
      key: "x",
      operates: true,
      text: "Exclude the movie",
      run: withMovie((one) => void choose(one, "exclude", reload)),
    },
    {
      key: "f",
      operates: true,
      text: "Leave the movie to the filter",
      run: withMovie((one) => void choose(one, "auto", reload)),
    },
    { key: "r", operates: true, text: "Try a failed movie again", run: withMovie((one) => void retry(one, reload)) },
    { key: "p", text: "Show or hide picks", run: () => toggle(withPicks) },
    { key: "b", text: "Show or hide junk", run: () => toggle(withJunk) },
    { key: "e", operates: true, text: "Edit picks: a click adds or removes one", run: use("pick") },
    { key: "m", text: "Ruler: drag measures", run: use("ruler") },
    { key: "t", text: "Try it with other settings", run: goToTry },
    { key: "u", operates: true, text: undoText, run: undo },
    { key: "ctrl+z", operates: true, text: undoText, run: undo },
    { key: "ctrl+shift+z", operates: true, text: "Redo an edit of picks", run: () => picks.canRedo && picks.redo() },
  ];
}
