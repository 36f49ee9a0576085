"""A session's files without a session: the same lists, from movies that somebody else gives one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import Event, Reset
from warpcore.bus.messages import Movie, MovieEvent
from warpcore.services.session.settings import Settings
from warpcore.services.session.tables import PARTICLES
from warpcore.services.tracker.state import TrackerState
from warpcore.services.tracker.writing import Files

log = logging.getLogger("warpcore.tracker")


class Lists:
    """The lists of a processing directory, which nobody else may write meanwhile; all times are monotonic seconds.

    What cannot be written is logged and tried again with the next change; the last time it raises OSError.
    """

    def __init__(
        self, data: Path, processing: Path, settings: Settings, movies: Iterable[Movie], now: float, every_s: float
    ) -> None:
        """`every_s`: how long a change may wait for others before the files are written."""
        self._state = TrackerState(str(processing), debounce_s=every_s, max_delay_s=every_s)
        self._files = Files(processing)
        self._files.sweep()
        self._state.apply(Reset(0, "", list(movies), settings.to_dict(), 0, False), now)
        self._state.set_directories(str(data), str(processing), now)

    def take(self, movie: Movie, now: float) -> None:
        """Take in a movie's new state, and write what is due."""
        self._state.apply(Event(Envelope("movie.status", MovieEvent(movie).to_body(), "process")), now)
        for name in self._state.due(now):
            try:
                self._write(name, now)
            except OSError as error:
                log.warning("%s cannot be written now: %s", name, error)
                self._state.failed(name, now, pause_s=0.0)

    def finish(self, now: float) -> None:
        """Write all that is not as it should be, and the filter's verdicts into the movies' XML. Raises OSError."""
        self._state.debounce_s = 0.0
        for name in self._state.due(now):
            self._write(name, now)
        left = self._state.selections
        while left:
            told = self._files.select(left)
            left = told.left
            for fault in told.faults:
                log.warning("%s", fault)

    def _write(self, name: str, now: float) -> None:
        self._state.begun(name)
        if name == PARTICLES:
            self._files.collect(self._state.particle_files(), PARTICLES, self._state.groups_of_averages())
        else:
            self._files.write(name, self._state.text(name))
        self._state.written(name, now)
