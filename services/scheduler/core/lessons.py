"""Which movies a step can learn from, in order of registration, kept in step with every change of a movie."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from warpcore.bus.vocabulary import DONE, MovieStatus, Selection
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.steps.learning import EVIDENCE


class Lessons:
    """For each step that still learns the movies with evidence, and the movies that can still get some.

    A failed or excluded movie, one that waits for a setting, and one whose result has no evidence is passed over. Only
    a movie with nothing left to run has told: what it told is then current.
    """

    def __init__(self, steps: Iterable[str], movies: Iterable[MovieRecord] = ()) -> None:
        self._told: dict[str, list[int]] = {step: [] for step in steps}
        self._open: list[int] = []
        for movie in movies:
            self.see(movie)

    def see(self, movie: MovieRecord) -> None:
        """Take in a movie as it is now."""
        if not self._told:
            return
        included = movie.selection != Selection.EXCLUDE and not movie.waits_for
        _enter(self._open, movie.id, included and movie.status not in DONE and movie.status != MovieStatus.FAILED)
        for step, ids in self._told.items():
            evidence = (movie.results.get(step) or {}).get(EVIDENCE)
            _enter(ids, movie.id, included and movie.status in DONE and evidence is not None)

    def forget(self, id: int) -> None:
        """Leave out a movie that there is no more."""
        for ids in (self._open, *self._told.values()):
            _enter(ids, id, belongs=False)

    def so_far(self, step: str, count: int) -> list[int]:
        """The first movies that a step learns from, at most `count`; none after one that can still get evidence."""
        ids = self._told.get(step, [])
        settled = bisect_left(ids, self._open[0]) if self._open else len(ids)
        return ids[: min(settled, count)]


def _enter(ids: list[int], id: int, belongs: bool) -> None:
    """Put an id into a sorted list, or take it out."""
    place = bisect_left(ids, id)
    there = place < len(ids) and ids[place] == id
    if belongs and not there:
        insort(ids, id)
    elif there and not belongs:
        del ids[place]
