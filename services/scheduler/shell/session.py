"""Beginning a run: directories checked, one scheduler a processing directory, state opened and restored."""

from __future__ import annotations

import gc
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from warpcore.bus.messages import PauseProcessing, PutSettings, StartProcessing
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.access.changes import AccessChange
from warpcore.services.process.versions import warpcore_version
from warpcore.services.scheduler.core import audit, journal
from warpcore.services.scheduler.core.effects import Effect
from warpcore.services.scheduler.core.held_movies import held_movies
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.requests import settings_warnings
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import ChangeSettings, Started, Stimulus
from warpcore.services.scheduler.shell.lock import Lock, SessionError, state_file
from warpcore.services.scheduler.shell.meters import Meters
from warpcore.services.scheduler.shell.references import Present, check_references, check_settings
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.recording import Recorder
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.allowed import NOTHING_MORE, Readable, allowed_below, folders_of
from warpcore.services.session.named_files import named_paths
from warpcore.services.session.opening import within
from warpcore.services.session.paths import newest_job
from warpcore.services.session.settings import Settings, check_size
from warpcore.services.steps.chain import CHAIN
from warpcore.services.storage.mounts import database_advice

log = logging.getLogger("warpcore.scheduler")

_OLDEST_GENERATION = 2
BY_START = "start"
"""Who the history of settings names for those that a start of the session was given."""
BY_COMMAND = "cli"
"""The program of changes that no request made: the command line."""


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
        readable: Readable = NOTHING_MORE,
    ) -> None:
        self._lock = lock
        self._where = {
            "data_directory": str(data_directory.resolve()),
            "processing_directory": str(processing_directory.resolve()),
        }
        self._readable = readable
        self._timeouts = (heartbeat_timeout_s, task_timeout_s)
        self._recorder: Recorder | None = None
        self._told: list[journal.Entry] = []
        self._trail = audit.Trail(0)
        self.meters = Meters()
        if CHAIN.faults:
            raise SessionError("; ".join(CHAIN.faults))
        path = state_file(processing_directory, state_path)
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
            self._trail = audit.Trail(self.store.newest_audit_entry())
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
        self._trail.forget()
        # Millions of objects are made and none is garbage: to search for some meanwhile takes several times as long.
        with garbage_left_alone(), self.store.errors("read"):
            stored = self.store.load(lazily=self._recorder is None)
            state = restore(stored, now=now, wall=wall, **self._where)
        state.heartbeat_timeout_s, state.task_timeout_s = self._timeouts
        state.readable = self._readable
        state.version = warpcore_version()
        if self._recorder is not None:
            self._recorder.begin(state, stored)
        return state

    def decide(self, stimulus: Stimulus, asked: audit.Asking | None = None) -> list[Effect]:
        """Let the machine carry out a stimulus, and stage what is to be stored of it.

        `asked` is the request behind it, where what it changes goes into the audit log.
        """
        now, wall = time.monotonic(), time.time()
        if self._recorder is None:
            effects = handle(self.state, stimulus, now, wall)
        else:
            effects = self._recorder.handle(self.state, stimulus, now, wall)
        written = self._trail.done(asked, effects, now, wall) if asked is not None else []
        self.store.stage([*effects, *written])
        self._told += journal.entries(effects)
        self.meters.note(stimulus, effects)
        return effects

    def note_refused(self, who: audit.Who, action: str, why: str) -> None:
        """Stage the entry of a request that whoever asked has no right to, as far as it is not one of too many.

        `action` is the type of the request, `why` one line for whoever reads the audit log.
        """
        self.store.stage(self._trail.refused(who, action, why, time.monotonic(), time.time()))

    def note_access(self, change: AccessChange) -> None:
        """Stage the entry of what a command has changed of keys or tokens."""
        who = audit.Who(change.user, change.by, BY_COMMAND)
        self.store.stage(self._trail.elsewhere(who, change.action, change.detail, change.at))

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
        held = held_movies(self.state)
        present = Present(self.state.settings, self.state.references, data, self._allowed, self._some_movies(), held)

        def look() -> ChangeSettings:
            usable, references = check_settings(settings, present)
            return ChangeSettings(usable, references, whole, by=by)

        return look

    def _may_read_folders_of(self, settings: Settings) -> None:
        """Whoever starts the session may name files anywhere; files beside them may be named later too.

        Folders are looked up here, at the start, and never on the loop: their storage may hang.
        """
        folders = (*self._readable.references, *folders_of(named_paths(settings).values()))
        self._readable = replace(self._readable, references=tuple(dict.fromkeys(folders)))
        self.state.readable = self._readable
        self._allowed = allowed_below(
            self._where["data_directory"],
            self._where["processing_directory"],
            self._readable.references,
            follow_links=self._readable.follow_links,
        )

    def _some_movies(self) -> list[Path]:
        """A few movies to compare reference files with; failed ones last, they may not be whole."""
        movies = itertools.islice(self.state.movies.values(), 1000)
        chosen = sorted(movies, key=lambda movie: (movie.status == MovieStatus.FAILED, movie.id))[:3]
        return [Path(self.state.data_directory) / movie.path for movie in chosen]

    def _last_export(self) -> int:
        """The highest number of an export job on disk, where the state knows of none: it may have been lost."""
        try:
            return 0 if self.state.last_export else newest_job(Path(self.state.processing_directory))
        except OSError:
            return 0  # the storage is away; the session waits for it

    def close(self) -> None:
        """Close the database, and the recording."""
        self.store.close()
        if self._recorder is not None:
            self._recorder.close()

    def _begin(self, settings: Settings | Callable[[Settings], Settings] | None, paused: bool | None) -> list[str]:
        """Check the reference files, put in force what was given; returns warnings for the log."""
        known = self.state.settings.import_
        self._may_read_folders_of(self.state.settings)
        with within(self._allowed):
            references, faults = check_references(self.state.settings)
        started = Started(None if faults else references, paused, self._last_export())
        pausing = StartProcessing() if paused is False else PauseProcessing()
        is_new = not known.data  # what a new session begins with is no change
        self.begun += self.decide(started, None if is_new or paused is None else audit.asking(pausing, "", BY_START))
        if callable(settings):
            settings = settings(self.state.settings)
        if settings is not None or is_new:
            self._may_read_folders_of(settings or self.state.settings)
            asked = None if is_new else audit.asking(PutSettings({}), "", BY_START)
            self.begun += self.decide(self.checked(settings or self.state.settings, by=BY_START), asked)
            with within(self._allowed):
                _, faults = check_references(self.state.settings)
        self.commit(time.time())
        kept = "results made with the former file are kept"
        files = [f"{fault['name']} = {fault['value']} {fault['problem']}; {kept}" for fault in faults]
        return [*self.state.words, *settings_warnings(self.state.set_aside), *files]
