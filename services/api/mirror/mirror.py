"""The mirror: every movie's present state, as the follower tells it, for readers in other threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from warpcore.bus.follower import FollowerItem, Reset
from warpcore.bus.messages import Movie, MovieEvent
from warpcore.services.api.mirror.rows import NUMBERS, Rows

_PLACE = {column.name: place for place, column in enumerate(NUMBERS)}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copied:
    """Copies of some columns, all as of change `seq`. Columns have the names of steps and fields (`ctf.defocus_um`).

    `numbers` are float64 (NaN: none), `codes` int32 places in `words` (-1: none). `reset_seq` is the change since which
    the mirror knows which movies have changed.
    """

    epoch: str
    seq: int
    reset_seq: int
    ids: NDArray[np.int64]
    changed_seq: NDArray[np.int64]
    names: list[str]
    numbers: dict[str, NDArray[np.float64]]
    codes: dict[str, NDArray[np.int32]]
    words: dict[str, list[str]]


class Mirror:
    """One thread gives it what the follower returns; any thread may read. Empty until the first reset (`epoch` "")."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows = Rows()
        self._coming = Rows()
        self._epoch = ""
        self._seq = self._reset_seq = 0

    @property
    def epoch(self) -> str:
        """The epoch of the change log, "" before the state is known."""
        return self._epoch

    def take_page(self, movies: list[Movie], first: bool) -> None:
        """Take in a page of a snapshot, which will be complete with the next reset."""
        if first:
            self._coming = Rows()
        for movie in movies:
            _put(self._coming, movie, 0)

    def take(self, item: FollowerItem) -> None:
        """Take in a reset or an event."""
        if isinstance(item, Reset):
            self._reset(item)
            return
        envelope = item.envelope
        if not envelope.seq:
            return
        movie = MovieEvent.from_body(envelope.body).movie if envelope.type.startswith("movie.") else None
        with self._lock:
            if movie is not None:
                _put(self._rows, movie, envelope.seq)
            self._seq = envelope.seq

    def copied(self, columns: Iterable[str]) -> Copied:
        """Copies of these columns of all movies; ids, names and change numbers come always."""
        with self._lock:
            rows, count = self._rows, self._rows.count
            numbers: dict[str, NDArray[np.float64]] = {}
            codes: dict[str, NDArray[np.int32]] = {}
            for name in columns:
                if name in _PLACE:
                    numbers[name] = rows.measured[_PLACE[name], :count].copy()
                elif name in rows.codes:
                    codes[name] = rows.codes[name][:count].copy()
                elif name in rows.plain:
                    numbers[name] = rows.plain[name][:count].astype(np.float64)
            return Copied(
                epoch=self._epoch,
                seq=self._seq,
                reset_seq=self._reset_seq,
                ids=rows.plain["id"][:count].copy(),
                changed_seq=rows.plain["changed_seq"][:count].copy(),
                names=rows.names[:count],
                numbers=numbers,
                codes=codes,
                words={name: list(rows.words[name].words) for name in codes},
            )

    def _reset(self, reset: Reset) -> None:
        # Built aside, since 100 000 movies take seconds: readers see the old state until the new one is complete.
        self.take_page(reset.movies, first=False)
        rows, self._coming = self._coming, Rows()
        rows.plain["changed_seq"][:] = reset.seq
        with self._lock:
            self._rows = rows
            self._epoch, self._seq, self._reset_seq = reset.epoch, reset.seq, reset.seq


def _put(rows: Rows, movie: Movie, seq: int) -> None:
    """Take in a movie; one whose results are not of the kinds that columns expect is there without any."""
    try:
        rows.put(movie, seq)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        log.warning("results of movie %s cannot be read; lists and plots show none: %s", movie.name, error)
        rows.put(msgspec.structs.replace(movie, results={}), seq)
