"""Beginning a run: directories checked, one scheduler a processing directory, state opened and restored."""

from __future__ import annotations

import gc
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.scheduler.core import journal
from warpcore.services.scheduler.core.effects import ChangeSettings, Effect, Started, Stimulus
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.requests import settings_warnings
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.shell.lock import STATE_FOLDER, Lock, SessionError
from warpcore.services.scheduler.shell.meters import Meters
from warpcore.services.scheduler.shell.references import Present, check_references, check_settings
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.recording import Recorder
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.settings import Settings, check_size
from warpcore.services.steps.chain import CHAIN
from warpcore.services.storage.mounts import database_advice

log = logging.getLogger("warpcore.scheduler")

_OLDEST_GENERATION = 2
BY_START = "start"
"""Who the history of settings names for those that a start of the session was given."""


@contextmanager
def garbage_left_alone() -> Iterator[None]:
    """Python's garbage collector is off within, and never looks at objects that exist at the end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def garbage_looked_for_once() -> Iterator[None]:
    """Within, Python's garbage collector never looks again at what has survived a full search.

    All movies live as long as the session, and a search among 60 000 of them stops everything for 0.3 s.
    """

    def leave_alone(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == _OLDEST_GENERATION:
            gc.freeze()

    gc.callbacks.append(leave_alone)
    try:
        yield
    finally:
        gc.callbacks.remove(leave_alone)


class Session:
    """The open state of a run: `state` decides, `store` keeps. Raises SessionError, StateError, SettingsError.

    `begun` is what the start asks of the service: to go on with what an earlier run had begun on disk, for one.
    """

    def __init__(
        self,
        data_directory: Path,
        processing_directory: Path,
        *,
        state_path: Path | None = None,
        settings: Settings | Callable[[Settings], Settings] | None = None,
        paused: bool | None = None,
        heartbeat_timeout_s: float = 30.0,
        task_timeout_s: float = 1800.0,
        record: Path | None = None,
        lock: Lock | None = None,
    ) -> None:
        self._lock = lock
        self._where = {
            "data_directory": str(data_directory.resolve()),
            "processing_directory": str(processing_directory.resolve()),
        }
        self._timeouts = (heartbeat_timeout_s, task_timeout_s)
        self._recorder: Recorder | None = None
        self._told: list[journal.Entry] = []
        self.meters = Meters()
        if CHAIN.faults:
            raise SessionError("; ".join(CHAIN.faults))
        path = state_path or processing_directory.resolve() / STATE_FOLDER / "state.db"
        # A session that is known waits for a directory that is away.
        if not data_directory.is_dir() and not path.is_file():
            raise SessionError(
                f"data directory {data_directory} does not exist; give the folder that movies are written to"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SessionError(f"{path.parent} cannot be made: {error.strerror}; give another --state file") from None
        self.store = Store(path.absolute(), **self._where)
        try:
            if record is not None:
                self._recorder = Recorder(record)
            self.begun: list[Effect] = []
            self.state = self.restored()
            self.warnings = [*filter(None, [database_advice(self.store.path)]), *self._begin(settings, paused)]
        except BaseException:
            self.close()
            raise

    def save_again(self) -> None:
        """Put the database back at its place, with its lock, after somebody has deleted them.

        Raises StateError and SessionError.
        """
        self.store.save_again()
        if self._lock is not None:
            self._lock.take_again()

    def restored(self) -> State:
        """The state as it is stored."""
        now, wall = time.monotonic(), time.time()
        # Millions of objects are made and none is garbage: to search for some meanwhile takes several times as long.
        with garbage_left_alone(), self.store.errors("read"):
            stored = self.store.load()
            state = restore(stored, now=now, wall=wall, **self._where)
        state.heartbeat_timeout_s, state.task_timeout_s = self._timeouts
        if self._recorder is not None:
            self._recorder.begin(state, stored)
        return state

    def decide(self, stimulus: Stimulus) -> list[Effect]:
        """Let the machine carry out a stimulus, and stage what is to be stored of it."""
        now, wall = time.monotonic(), time.time()
        if self._recorder is None:
            effects = handle(self.state, stimulus, now, wall)
        else:
            effects = self._recorder.handle(self.state, stimulus, now, wall)
        self.store.stage(effects)
        self._told += journal.entries(effects)
        self.meters.note(stimulus, effects)
        return effects

    def commit(self, wall: float) -> None:
        """Make durable what was decided, then tell the log. Raises StateError: then nothing of it has happened."""
        told, self._told = self._told, []
        begun = time.monotonic()
        if self.store.commit(wall):
            self.meters.commits.add(time.monotonic() - begun)
        for entry in journal.shown(told):
            log.log(entry.level, "%s", entry.text, extra=entry.about)

    @property
    def described(self) -> str:
        """Where the session is and how many movies it has, in one line."""
        counts = [f"{count} {status.replace('_', ' ')}" for status, count in self.state.counts.items() if count]
        movies = f"{len(self.state.movies)} movies ({', '.join(counts)})" if counts else "no movies yet"
        return f"scheduler of {self.state.data_directory}, results in {self.state.processing_directory}: {movies}"

    def checked(self, settings: Settings, *, whole: bool = False, by: str = "") -> ChangeSettings:
        """The stimulus that puts these settings in force; `whole`: they replace all others. `by` is who asks.

        Raises SettingsError where they are too large, or a file that they name cannot be used.
        """
        return self.checking(settings, whole=whole, by=by)()

    def checking(self, settings: Settings, *, whole: bool = False, by: str = "") -> Callable[[], ChangeSettings]:
        """What `checked` does, as a call for another thread: it looks at files, and no longer at the state."""
        check_size(settings)
        data = Path(self.state.data_directory)
        present = Present(self.state.settings, self.state.references, data, self._some_movies())

        def look() -> ChangeSettings:
            usable, references = check_settings(settings, present)
            return ChangeSettings(usable, references, whole, by=by)

        return look

    def _some_movies(self) -> list[Path]:
        """A few movies to compare reference files with; failed ones last, they may not be whole."""
        movies = itertools.islice(self.state.movies.values(), 1000)
        chosen = sorted(movies, key=lambda movie: (movie.status == MovieStatus.FAILED, movie.id))[:3]
        return [Path(self.state.data_directory) / movie.path for movie in chosen]

    def close(self) -> None:
        """Close the database, and the recording."""
        self.store.close()
        if self._recorder is not None:
            self._recorder.close()

    def _begin(self, settings: Settings | Callable[[Settings], Settings] | None, paused: bool | None) -> list[str]:
        """Check the reference files, put in force what was given; returns warnings for the log."""
        known = self.state.settings.import_
        references, faults = check_references(self.state.settings)
        self.begun += self.decide(Started(None if faults else references, paused))
        if callable(settings):
            settings = settings(self.state.settings)
        if settings is not None or not known.data:
            self.begun += self.decide(self.checked(settings or self.state.settings, by=BY_START))
            _, faults = check_references(self.state.settings)
        self.commit(time.time())
        kept = "results made with the former file are kept"
        files = [f"{fault['name']} = {fault['value']} {fault['problem']}; {kept}" for fault in faults]
        return [*self.state.words, *settings_warnings(self.state.set_aside), *files]
