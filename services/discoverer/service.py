"""The discoverer's shell: scans, looks into files, watches, and talks with the scheduler; `incubation` decides."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.events import Publisher, Subscriber
from warpcore.bus.messages import (
    Error,
    FileEvent,
    FilesRegistered,
    GetKnownFiles,
    GetProcessing,
    KnownFiles,
    ProcessingStatus,
    RegisterFiles,
    ServiceEvent,
    SettingsEvent,
)
from warpcore.bus.schema import Message
from warpcore.services.discoverer.asker import Asker
from warpcore.services.discoverer.incubation import BATCH_FILES, Examined, Incubation, Notice
from warpcore.services.discoverer.listing import (
    Identity,
    Listing,
    StoppedError,
    Watched,
    list_files,
    look,
    output_folders,
)
from warpcore.services.discoverer.watcher import Watcher
from warpcore.services.readers.containers import ContainerError, check_open_container
from warpcore.services.session.settings import ImportSettings

log = logging.getLogger(__name__)

SOURCE = "discoverer"
HEARTBEAT_S = 2.0
SETTINGS_INTERVAL_S = 10.0
"""How often the settings are asked for, in case their event was lost."""

_EXAMINERS = 4
_MOST_EXAMINED = 256
_SCAN_SHARE = 4
"""A scan that takes long is followed by a pause this many times as long, so that a slow file system has rest."""
_BUSY_POLL_MS = 20
_IDLE_POLL_MS = 100
_PAST_ALL_FILES = 2**62
_NEVER_TAKEN = ("bad_message", "invalid", "conflict")
"""Errors by which the scheduler refuses the files themselves; any other is its own trouble, so asked again."""


class DataDirectoryError(OSError):
    """The data directory cannot be used; the text names it and says what to do."""


def run_discoverer(
    endpoints: Endpoints,
    data_directory: Path,
    *,
    watch: bool = True,
    scan_interval_s: float = 2.0,
    incubation_s: float = 1.0,
    give_up_s: float = 30.0,
    stop: threading.Event,
) -> None:
    """Find movies below `data_directory` and register them until `stop` is set (then ends within about 3 s).

    A file is registered when its size and mtime have not changed for `incubation_s` and its container is whole, or after
    `give_up_s` without change although it is not. `watch` off: the scan alone, as for network file systems.
    Raises DataDirectoryError.
    """
    _check_directory(data_directory)
    shell = _Shell(endpoints, data_directory, Incubation(incubation_s, give_up_s), watch, scan_interval_s, stop)
    try:
        shell.run()
    finally:
        shell.close()


def _check_directory(directory: Path) -> None:
    try:
        with os.scandir(directory):
            return
    except FileNotFoundError:
        problem = "does not exist; create it or name another"
    except NotADirectoryError:
        problem = "is not a directory; name the folder that holds the movies"
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); allow this user to"
    raise DataDirectoryError(f"data directory {directory} {problem}")


def examine(directory: Path, path: str) -> Examined:
    """Look into one file. Opening it also makes a network file system tell its true size."""
    full = directory / path
    try:
        handle = os.open(full, os.O_RDONLY | os.O_NONBLOCK)
        try:
            check_open_container(handle, full)
        except ContainerError as error:
            return Examined(look(directory, path), fault=error.reason)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return Examined(None)
    except OSError as error:
        return Examined(None, unreadable=error.strerror or str(error))
    return Examined(look(directory, path))


def _look_at(directory: Path, paths: Iterable[str]) -> dict[str, Identity | None]:
    return {path: look(directory, path) for path in paths}


class _Shell:
    """Moves what is found, asked and answered between the incubation and the world; all decisions are made there."""

    def __init__(
        self,
        endpoints: Endpoints,
        directory: Path,
        incubation: Incubation,
        watch: bool,
        scan_interval_s: float,
        stop: threading.Event,
    ) -> None:
        self._directory = directory
        self._incubation = incubation
        self._watch = watch
        self._scan_interval_s = scan_interval_s
        self._stop = stop
        self._watched: Watched | None = None
        self._excluded: frozenset[str] | None = None
        self._import_settings: dict[str, Any] = {}
        self._revision = -1
        self._epoch = ""
        self._learnt_up_to: int | None = 0
        self._batch_limit = BATCH_FILES
        self._watcher: Watcher | None = None
        self._scan: tuple[Future[Listing], Watched, float] | None = None
        self._looking: Future[dict[str, Identity | None]] | None = None
        self._examining: dict[str, Future[Examined]] = {}
        now = time.monotonic()
        self._next_scan = self._next_beat = now
        self._next_settings = now + SETTINGS_INTERVAL_S
        with ExitStack() as stack:
            self._publisher = stack.enter_context(Publisher(endpoints.events_in, SOURCE))
            self._events = stack.enter_context(
                Subscriber(endpoints.events_out, ("settings.changed", "service.heartbeat"))
            )
            self._asker = stack.enter_context(closing(Asker(endpoints.control, SOURCE)))
            self._pool = stack.enter_context(ThreadPoolExecutor(_EXAMINERS + 1, thread_name_prefix="files"))
            self._resources = stack.pop_all()

    def run(self) -> None:
        """Until told to stop."""
        while not self._stop.is_set():
            now = time.monotonic()
            self._take_answer(now)
            self._take_events()
            if self._is_ready:
                self._take_listing(now)
                self._take_looks(now)
                self._take_examined(now)
                self._begin_scan(now)
                self._begin_look()
                self._begin_examinations(now)
            self._ask_next(now)
            self._beat(now)
            busy = self._scan or self._looking or self._examining or not self._asker.is_free(now)
            self._events.socket.poll(_BUSY_POLL_MS if busy else _IDLE_POLL_MS)
        self._say("service.stopping")

    def close(self) -> None:
        """End threads and sockets."""
        if self._watcher is not None:
            self._watcher.close()
        for future in self._examining.values():
            future.cancel()
        self._resources.close()

    @property
    def _is_ready(self) -> bool:
        """Whether the settings and all that is registered are known: before, nothing can be told from new files."""
        return self._learnt_up_to is None and self._watched is not None

    # --- the scheduler ---

    def _ask_next(self, now: float) -> None:
        if not self._asker.is_free(now):
            return
        if self._excluded is None:
            self._asker.ask(GetProcessing())
        elif self._learnt_up_to is not None:
            self._asker.ask(GetKnownFiles(after=self._learnt_up_to))
        elif files := self._incubation.batch(self._batch_limit):
            self._asker.ask(RegisterFiles(files))
        elif now >= self._next_settings:
            self._asker.ask(GetKnownFiles(after=_PAST_ALL_FILES, limit=1))

    def _take_answer(self, now: float) -> None:
        answered = self._asker.answered(now)
        if answered is None:
            return
        request, answer = answered
        if isinstance(answer, ProcessingStatus):
            self._excluded = output_folders(self._directory, Path(answer.processing_directory))
        elif isinstance(answer, KnownFiles):
            self._learn(request, answer, now)
        elif isinstance(answer, FilesRegistered) and isinstance(request, RegisterFiles):
            self._incubation.acknowledged(request.files)
            self._batch_limit = min(2 * self._batch_limit, BATCH_FILES)
        else:
            self._take_refusal(request, answer, now)

    def _learn(self, request: Message, answer: KnownFiles, now: float) -> None:
        self._next_settings = now + SETTINGS_INTERVAL_S
        self._apply(answer.settings, answer.settings_revision)
        if isinstance(request, GetKnownFiles) and request.after == self._learnt_up_to:
            self._incubation.learn(answer.files)
            self._learnt_up_to = answer.next_after
            if self._learnt_up_to is None:
                self._say("service.started")

    def _take_refusal(self, request: Message, answer: Message, now: float) -> None:
        """A refused batch is halved until the file that is at fault stands alone; the others go through."""
        said = answer.detail if isinstance(answer, Error) else f"unexpected answer {answer.TYPE}"
        if isinstance(request, RegisterFiles) and isinstance(answer, Error) and answer.code in _NEVER_TAKEN:
            if len(request.files) > 1:
                self._batch_limit = len(request.files) // 2
                return
            log.error("%s is refused by the scheduler: %s", request.files[0].path, said)
            self._publish(self._incubation.refused(request.files[0], said))
            return
        log.warning("the scheduler refuses %s: %s; trying on", request.TYPE, said)
        self._asker.back_off(now)

    def _take_events(self) -> None:
        for envelope in self._events.drain():
            if envelope.type == "settings.changed":
                event = SettingsEvent.from_body(envelope.body)
                self._apply(event.settings.get("import"), event.revision)
            else:
                self._take_beat(envelope)

    def _take_beat(self, envelope: Envelope) -> None:
        """A scheduler whose log is a new one may know none of our files: learn again what it has."""
        beat = ServiceEvent.from_body(envelope.body)
        if beat.service != "scheduler" or not beat.epoch:
            return
        if self._epoch and beat.epoch != self._epoch:
            log.info("the scheduler began a new state: comparing all files with it")
            self._incubation.forget()
            self._learnt_up_to, self._excluded, self._revision = 0, None, -1
        self._epoch = beat.epoch

    def _apply(self, raw: object, revision: int) -> None:
        """Take the import settings in force; what an unknown version of them says wrongly leaves the old ones."""
        if revision < self._revision or self._excluded is None:
            return
        try:
            settings = ImportSettings.model_validate(raw)
        except ValidationError as error:
            log.error("import settings of the scheduler are not understood, the old ones stay: %s", error)
            return
        self._revision = revision
        watched = Watched(tuple(settings.patterns), settings.recursive, self._excluded)
        if watched == self._watched:
            return
        log.info("looking for %s%s", ", ".join(watched.patterns), ", also in sub-folders" if watched.recursive else "")
        rewatch = self._watched is None or self._watched.recursive != watched.recursive
        self._watched = watched
        self._incubation.narrow(watched.holds)
        self._next_scan = time.monotonic()
        if rewatch and self._watch:
            if self._watcher is not None:
                self._watcher.close()
            self._watcher = Watcher(self._directory, watched.recursive)

    # --- the files ---

    def _begin_scan(self, now: float) -> None:
        if self._scan is None and now >= self._next_scan and self._watched is not None:
            watched = self._watched
            self._scan = self._pool.submit(list_files, self._directory, watched, self._stop.is_set), watched, now

    def _take_listing(self, now: float) -> None:
        if self._scan is None or not self._scan[0].done():
            return
        (future, watched, begun), self._scan = self._scan, None
        if watched != self._watched:
            return
        try:
            listing = future.result()
        except StoppedError:
            return
        self._publish(self._incubation.listed(listing, now))
        self._next_scan = now + max(self._scan_interval_s, _SCAN_SHARE * (now - begun))

    def _begin_look(self) -> None:
        if self._watcher is None or self._watched is None or self._looking is not None:
            return
        paths = [path for path in self._watcher.hints() if self._watched.holds(path)]
        if paths:
            self._looking = self._pool.submit(_look_at, self._directory, paths)

    def _take_looks(self, now: float) -> None:
        if self._looking is not None and self._looking.done():
            future, self._looking = self._looking, None
            self._publish(self._incubation.looked(future.result(), now))

    def _begin_examinations(self, now: float) -> None:
        for path in self._incubation.due(now, _MOST_EXAMINED - len(self._examining)):
            self._examining[path] = self._pool.submit(examine, self._directory, path)

    def _take_examined(self, now: float) -> None:
        for path in [path for path, future in self._examining.items() if future.done()]:
            self._publish(self._incubation.examined(path, self._examining.pop(path).result(), now))

    # --- telling ---

    def _publish(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            if notice.topic == "file.unreadable" or (notice.topic == "file.ready" and notice.detail):
                log.warning("%s: %s", notice.path, notice.detail)
            self._publisher.publish(notice.topic, FileEvent(notice.path, notice.detail))

    def _beat(self, now: float) -> None:
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT_S
            self._say("service.heartbeat")

    def _say(self, topic: str) -> None:
        detail = f"{self._incubation.incubating} incubating, {self._incubation.waiting} to register"
        self._publisher.publish(topic, ServiceEvent(SOURCE, socket.gethostname(), os.getpid(), detail=detail))
