"""Which movies have ended last."""

from __future__ import annotations

from collections.abc import Iterator

KEPT = 400
"""Movies by which alarms go: those that are looked at, and those before."""


class Recent:
    """The numbers of the last movies that have ended, each once, oldest first."""

    def __init__(self, size: int = KEPT) -> None:
        self._size = size
        self._movies: dict[int, None] = {}

    def __iter__(self) -> Iterator[int]:
        return iter(self._movies)

    def last(self, count: int) -> list[int]:
        """The last `count` of them."""
        return list(self._movies)[-count:]

    def forget(self, movie: int) -> None:
        """It does not count any more."""
        self._movies.pop(movie, None)

    def note(self, movie: int) -> None:
        """A movie has ended, perhaps once more."""
        self.forget(movie)
        self._movies[movie] = None
        if len(self._movies) > self._size:
            del self._movies[next(iter(self._movies))]
