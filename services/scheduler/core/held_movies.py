"""The movies that settings are held against: new ones before they are put in force, and those made before any movie."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.facts import NOTHING_TOLD
from warpcore.services.session.workable import Held
from warpcore.services.steps.step import INPUT

_MOST = 1000
"""So many of the first movies are those of the session."""
_FIRST = 25


def held_movies(state: State) -> list[Held]:
    """Sizes of movies that are neither excluded nor have failed, by their headers or, without, by their results."""
    return _sizes((movie for movie in _included(state) if movie.status != MovieStatus.FAILED), _MOST)


def first_sizes(state: State) -> list[Held]:
    """The same of a few of the first movies, failed ones too: settings that cannot work make them fail."""
    return _sizes(_included(state), _FIRST)


def _included(state: State) -> Iterator[MovieRecord]:
    return (movie for movie in state.movies.values() if movie.selection != Selection.EXCLUDE)


def _sizes(movies: Iterable[MovieRecord], most: int) -> list[Held]:
    return [held for movie in itertools.islice(movies, most) if (held := _held(movie)) is not None]


def _held(movie: MovieRecord) -> Held | None:
    header, known = movie.header, movie.results.get(INPUT) or {}
    if header is not None:
        return Held(header.height, header.width, header.is_eer, header.frames, movie.facts)
    height, width = known.get("raw_height"), known.get("raw_width")
    if height is None or width is None:
        return None
    facts = NOTHING_TOLD._replace(is_known=True, header_angstrom=known.get("raw_pixel_size_angstrom"))
    return Held(height, width, is_eer=False, frames=None, facts=facts)
