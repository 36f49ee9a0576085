"""Beginning a run: directories checked, one scheduler a processing directory, state opened and restored."""

from __future__ import annotations

import fcntl
import gc
import itertools
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.scheduler.core.effects import ChangeSettings, Effect, SaveChoice, Started, Stimulus
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.requests import settings_warnings
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.shell.references import check_fit, check_picking, check_references, with_known
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.recording import Recorder
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.settings import Settings, SettingsError, changed_names, check_size
from warpcore.services.steps.chain import CHAIN

log = logging.getLogger(__name__)

STATE_FOLDER = ".warpcore"
_OLDEST_GENERATION = 2
BY_START = "start"
"""Who the history of settings names for those that a start of the session was given."""


class SessionError(Exception):
    """A run that cannot begin; the text is one line that says why and what to do."""


@contextmanager
def locked(processing_directory: Path) -> Iterator[None]:
    """Hold the processing directory for this scheduler alone, until the block or process ends. Raises SessionError."""
    path = processing_directory / STATE_FOLDER / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SessionError(
            f"processing directory {processing_directory} cannot be written: {error.strerror}; "
            "give another --processing directory, or the right to write there"
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            raise SessionError(
                f"processing directory {processing_directory} is in use by the scheduler of {holder}; "
                "end that one, or give another --processing directory"
            ) from None
        except OSError as error:
            raise SessionError(
                f"{path} cannot be locked: {error.strerror}; give a --processing directory on a file system with locks"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


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
    """The open state of a run: `state` decides, `store` keeps. Raises SessionError, StateError, SettingsError."""

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
    ) -> None:
        if not data_directory.is_dir():
            raise SessionError(
                f"data directory {data_directory} does not exist; give the folder that movies are written to"
            )
        self._where = {
            "data_directory": str(data_directory.resolve()),
            "processing_directory": str(processing_directory.resolve()),
        }
        self._timeouts = (heartbeat_timeout_s, task_timeout_s)
        self._recorder: Recorder | None = None
        if CHAIN.faults:
            raise SessionError("; ".join(CHAIN.faults))
        path = state_path or processing_directory.resolve() / STATE_FOLDER / "state.db"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SessionError(f"{path.parent} cannot be made: {error.strerror}; give another --state file") from None
        self.store = Store(path.absolute(), **self._where)
        try:
            if record is not None:
                self._recorder = Recorder(record)
            self.state = self.restored()
            self.warnings = self._begin(settings, paused)
        except BaseException:
            self.close()
            raise

    def restored(self) -> State:
        """The state as it is stored."""
        now = time.monotonic()
        # Millions of objects are made and none is garbage: to search for some meanwhile takes several times as long.
        with garbage_left_alone(), self.store.errors("read"):
            stored = self.store.load()
            state = restore(stored, now=now, **self._where)
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
        for effect in effects:
            if isinstance(effect, SaveChoice):
                log.log(logging.WARNING if effect.failed else logging.INFO, "%s", effect.told)
        return effects

    def checked(self, settings: Settings, *, whole: bool = False, by: str = "") -> ChangeSettings:
        """The stimulus that puts these settings in force; `whole`: they replace all others. `by` is who asks.

        Raises SettingsError where they are too large, or a file that they name cannot be used.
        """
        check_size(settings)
        data = self._where["data_directory"]
        given = settings.import_.data
        if given and os.path.abspath(given) != data and os.path.realpath(given) != data:
            problem = f"this session's data directory is {data}; leave it, or start another session"
            raise SettingsError([{"name": "import.data", "value": given, "problem": problem}])
        settings = settings.model_copy(update={"import_": settings.import_.model_copy(update={"data": data})})
        references, faults = check_references(settings)
        if settings.import_ != self.state.settings.import_:
            faults = faults or check_fit(settings.import_, self._some_movies())
        if settings.picking != self.state.settings.picking:
            faults = faults or check_picking(settings)
        changed = {name.partition(".")[0] for name in changed_names(self.state.settings, settings)}
        if refused := [fault for fault in faults if fault["name"].partition(".")[0] in changed]:
            raise SettingsError(refused)
        return ChangeSettings(settings, with_known(references, self.state.references, faults), whole, by=by)

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
        self.decide(Started(None if faults else references, paused))
        if callable(settings):
            settings = settings(self.state.settings)
        if settings is not None or not known.data:
            self.decide(self.checked(settings or self.state.settings, by=BY_START))
            _, faults = check_references(self.state.settings)
        self.store.commit(time.time())
        kept = "results made with the former file are kept"
        files = [f"{fault['name']} = {fault['value']} {fault['problem']}; {kept}" for fault in faults]
        return [*self.state.words, *settings_warnings(self.state.set_aside), *files]
