"""Settings back to what they were: outputs that were kept are put back, and nothing runs."""

from __future__ import annotations

from warpcore.services.scheduler.core import rows, tasks
from warpcore.services.scheduler.core.effects import OutputsRestored, RestoreOutputs, SaveMovie
from warpcore.services.scheduler.core.keeping import keep
from warpcore.services.scheduler.core.queue import Verdict
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.filtering import filter_reasons
from warpcore.services.session.generations import Generation

MOST_AT_ONCE = 64


def begin(state: State) -> None:
    """Have the next few put back. Each is stored as begun first, so that a restart knows whose files may be mixed."""
    while len(state.restoring) < MOST_AT_ONCE and len(state.to_restore) and not state.storage.holds:
        chosen = state.to_restore.choose(lambda id: Verdict.TAKE)
        assert chosen is not None
        movie = state.movies[chosen]
        movie.restoring = movie.restore_to
        state.restoring.add(movie.id)
        state.place(movie)
        present = Generation(movie.fingerprints, movie.results, movie.outputs)
        state.effects += [
            SaveMovie(rows.movie_row(movie)),
            _ordered(movie, present),
        ]


def begun(state: State) -> list[RestoreOutputs]:
    """What had begun. The present outputs may be mixed by now, so they are not kept."""
    movies = (state.movies[id] for id in sorted(state.restoring))
    return [_ordered(movie, Generation(outputs=movie.outputs)) for movie in movies]


def _ordered(movie: MovieRecord, present: Generation) -> RestoreOutputs:
    file = movie.path, movie.size, movie.mtime_ns
    return RestoreOutputs(movie.id, movie.name, movie.restoring, present, *file)


def restored(state: State, stimulus: OutputsRestored) -> None:
    """The outputs are those of another generation now; where that failed, the steps run."""
    movie = state.movies[stimulus.movie]
    if not movie.restoring:
        return
    key, movie.restoring = movie.restoring, ""
    state.restoring.discard(movie.id)
    keep(movie, (name for name in stimulus.keys if name != key))
    generation = stimulus.generation
    if generation is not None and _usable(state, generation):
        movie.fingerprints, movie.results, movie.outputs = (
            generation.fingerprints,
            generation.results,
            generation.outputs,
        )
        keep(movie, (*movie.kept, key))
        tasks.reconsider(state, movie, "outputs kept from earlier were put back")
        return
    if generation is not None or not stimulus.untouched:
        movie.fingerprints = {}
    tasks.reconsider(state, movie, "outputs kept from earlier could not be put back")


def _usable(state: State, generation: Generation) -> bool:
    """Whether a manifest holds results that can be judged; anybody may have changed the file."""
    try:
        filter_reasons(generation.results, state.settings.filter)
    except (TypeError, ValueError, AttributeError):
        return False
    return all(isinstance(files, list) for files in generation.outputs.values())
