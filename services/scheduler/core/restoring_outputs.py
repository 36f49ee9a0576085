"""Settings back to what they were: outputs that were kept are put back, and nothing runs."""

from __future__ import annotations

from warpcore.services.scheduler.core import rows, tasks
from warpcore.services.scheduler.core.effects import RestoreOutputs, SaveMovie
from warpcore.services.scheduler.core.keeping import keep
from warpcore.services.scheduler.core.placing_outputs import REPEAT_AFTER_S
from warpcore.services.scheduler.core.queue import Verdict
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import OutputsRestored, RestoringFailed
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
    return [_ordered_again(state.movies[id]) for id in sorted(state.restoring)]


def failed(state: State, stimulus: RestoringFailed) -> None:
    """The storage did not let outputs be put back: again once it may have recovered."""
    if stimulus.movie in state.restoring:
        state.restore_again[stimulus.movie] = state.now + REPEAT_AFTER_S, stimulus.text[: tasks.LONGEST_TEXT]


def repeat_due(state: State) -> None:
    """Try again where the storage had not let outputs be put back."""
    for id in [id for id, (at, _) in state.restore_again.items() if state.now >= at]:
        del state.restore_again[id]
        state.effects.append(_ordered_again(state.movies[id]))


def warnings(state: State) -> list[str]:
    """What keeps outputs from being put back, each text once."""
    return list(dict.fromkeys(text for _, text in state.restore_again.values()))


def _ordered_again(movie: MovieRecord) -> RestoreOutputs:
    return _ordered(movie, Generation(outputs=movie.outputs))


def _ordered(movie: MovieRecord, present: Generation) -> RestoreOutputs:
    file = movie.path, movie.size, movie.mtime_ns
    return RestoreOutputs(movie.id, movie.name, movie.restoring, present, *file, movie.said)


def restored(state: State, stimulus: OutputsRestored) -> None:
    """The outputs are those of another generation now; where that failed, the steps run."""
    movie = state.movies[stimulus.movie]
    if not movie.restoring:
        return
    key, movie.restoring = movie.restoring, ""
    state.restoring.discard(movie.id)
    state.restore_again.pop(movie.id, None)
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
        state.filter.reasons(generation.results)
    except (TypeError, ValueError, AttributeError):
        return False
    return all(isinstance(files, list) for files in generation.outputs.values())
