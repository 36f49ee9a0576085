"""Which movies have ended last."""

from __future__ import annotations

from collections.abc import Iterator

WINDOW = 25
"""Movies by which alarms go."""


class Recent:
    """The numbers of the last movies that have ended, each once, oldest first."""

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._movies: dict[int, None] = {}

    def __iter__(self) -> Iterator[int]:
        return iter(self._movies)

    def note(self, movie: int) -> None:
        """A movie has ended, perhaps once more."""
        self._movies.pop(movie, None)
        self._movies[movie] = None
        if len(self._movies) > self._size:
            del self._movies[next(iter(self._movies))]
