"""The discoverer: talks with the scheduler and publishes. `finding` looks at the files, `incubation` decides."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.events import Publisher, Subscriber
from warpcore.bus.keys import ClientKey
from warpcore.bus.limits import MOST_AT_ONCE
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
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.discoverer.asker import Asker
from warpcore.services.discoverer.finding import Finder
from warpcore.services.discoverer.incubation import Incubation
from warpcore.services.discoverer.listing import Watched, output_folders
from warpcore.services.discoverer.not_taken import Notice
from warpcore.services.process.alive import tell_alive
from warpcore.services.process.logs import cut
from warpcore.services.process.side_thread import SideThread
from warpcore.services.session.named_files import named_files
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.session.paths import movie_root
from warpcore.services.session.settings import ImportSettings

LONGEST_SHOWN = 300
"""Characters of the patterns that the log shows."""

log = logging.getLogger(__name__)

SOURCE = "discoverer"
HEARTBEAT_S = 2.0
SETTINGS_INTERVAL_S = 10.0
"""How often the settings are asked for, in case their event was lost."""

_BUSY_POLL_MS = 20
_IDLE_POLL_MS = 100
_PAST_ALL_FILES = 2**62
_NEVER_TAKEN = (ErrorCode.BAD_MESSAGE, ErrorCode.INVALID, ErrorCode.CONFLICT)
"""Errors that refuse the files themselves. After any other error the scheduler is asked again."""


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
    follow_links: bool = False,
    paths: PathMap = AS_TOLD,
    key: ClientKey | None = None,
    stop: threading.Event,
) -> None:
    """Find movies below `data_directory` and register them until `stop` is set (then ends within about 3 s).

    A file is registered when its size and mtime have not changed for `incubation_s` and its container is whole. One
    that is not whole after `give_up_s` without change is registered too, so that its failure is seen. Without `watch`
    the folder is only scanned, as network file systems need it. `paths` says where this host sees other folders that
    the scheduler names: what it names in its data directory is in `data_directory`. `follow_links`: links out of it
    count. It connects under `key`. Raises DataDirectoryError.
    """
    _check_directory(data_directory)
    incubation = Incubation(incubation_s, give_up_s)
    finder = Finder(data_directory, incubation, use_watcher=watch, scan_interval_s=scan_interval_s, stopped=stop.is_set)
    shell = _Shell(endpoints, data_directory, incubation, finder, follow_links, paths, key)
    with closing(finder), closing(shell):
        shell.run(stop)


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


class _Shell:
    """Carries requests, answers and events between incubation and scheduler, which make all decisions."""

    def __init__(
        self,
        endpoints: Endpoints,
        directory: Path,
        incubation: Incubation,
        finder: Finder,
        follow_links: bool = False,
        paths: PathMap = AS_TOLD,
        key: ClientKey | None = None,
    ) -> None:
        self._directory = directory
        self._follow_links = follow_links
        self._paths = paths
        self._incubation = incubation
        self._finder = finder
        self._excluded: frozenset[str] | None = None
        self._placing: SideThread[frozenset[str]] = SideThread("where the results lie")
        self._revision = -1
        self._epoch = ""
        self._learnt_up_to: int | None = 0
        self._forgotten = 0
        self._batch_limit = MOST_AT_ONCE
        self._told: tuple[list[str], list[str]] = [], []
        now = time.monotonic()
        self._next_beat = now
        self._next_settings = now + SETTINGS_INTERVAL_S
        with ExitStack() as stack:
            self._publisher = stack.enter_context(Publisher(endpoints.events_in, SOURCE, key=key))
            self._events = stack.enter_context(
                Subscriber(endpoints.events_out, ("settings.changed", "service.heartbeat"), key=key)
            )
            self._asker = stack.enter_context(closing(Asker(endpoints.control, SOURCE, key)))
            self._resources = stack.pop_all()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            self._events.socket.poll(_BUSY_POLL_MS if self.round(time.monotonic()) else _IDLE_POLL_MS)
        self._say("service.stopping")

    def round(self, now: float) -> bool:
        """Take in what has come, look at files, ask what is next; returns whether more will come soon."""
        self._take_answer(now)
        self._take_events()
        if self._learnt_up_to is None:
            # Not before all registered files are known: until then none can be told from a new one.
            self._publish(self._finder.step(now))
        self._ask_next(now)
        self._beat(now)
        return self._finder.is_busy or not self._asker.is_free(now)

    def close(self) -> None:
        """Close the sockets."""
        self._resources.close()

    # --- the scheduler ---

    def _ask_next(self, now: float) -> None:
        if not self._asker.is_free(now):
            return
        if self._excluded is None:
            self._excluded = self._placing.taken()
            if self._excluded is None and self._placing.is_free:
                self._asker.ask(GetProcessing())
        elif self._learnt_up_to is not None:
            self._asker.ask(GetKnownFiles(after=self._learnt_up_to))
        elif (files := self._incubation.ready.batch(self._batch_limit)) or self._told != self._to_tell():
            warnings, notes = self._to_tell()
            self._asker.ask(RegisterFiles(files, warnings, self._incubation.ready.seen_s(files, now), notes))
        elif now >= self._next_settings:
            self._asker.ask(GetKnownFiles(after=_PAST_ALL_FILES, limit=1))

    def _to_tell(self) -> tuple[list[str], list[str]]:
        return self._incubation.warnings, self._incubation.notes

    def _take_answer(self, now: float) -> None:
        answered = self._asker.answered(now)
        if answered is None:
            return
        request, answer = answered
        if isinstance(answer, ProcessingStatus):
            self._paths = self._paths.also(answer.data_directory, str(self._directory.absolute()))
            processing = Path(self._paths.here(answer.processing_directory))
            self._placing.begin(lambda: output_folders(self._directory, processing))
        elif isinstance(answer, KnownFiles):
            self._learn(request, answer, now)
        elif isinstance(answer, FilesRegistered) and isinstance(request, RegisterFiles):
            self._incubation.acknowledged(request.files)
            self._told = request.warnings, request.notes
            self._batch_limit = min(2 * self._batch_limit, MOST_AT_ONCE)
        else:
            self._take_refusal(request, answer, now)

    def _learn(self, request: Message, answer: KnownFiles, now: float) -> None:
        self._next_settings = now + SETTINGS_INTERVAL_S
        self._told = [], []  # sent again from time to time, since a restarted scheduler has forgotten them
        self._apply(answer.settings, answer.settings_revision)
        if answer.forgotten != self._forgotten:
            # Files of forgotten movies are like new ones; which they are shows what is still registered.
            self._forgotten = answer.forgotten
            self._incubation.forget()
            self._learnt_up_to = 0
            return
        if isinstance(request, GetKnownFiles) and request.after == self._learnt_up_to:
            self._incubation.learn(answer.files)
            self._learnt_up_to = answer.next_after
            if self._learnt_up_to is None:
                self._say("service.started")

    def _take_refusal(self, request: Message, answer: Message, now: float) -> None:
        """A refused batch is halved until the file at fault stands alone; the others go through."""
        said = answer.detail if isinstance(answer, Error) else f"unexpected answer {answer.TYPE}"
        is_fault = isinstance(answer, Error) and answer.code in _NEVER_TAKEN
        if isinstance(request, RegisterFiles) and request.files and is_fault:
            if len(request.files) > 1:
                self._batch_limit = len(request.files) // 2
                return
            log.error("%s is refused by the scheduler: %s", request.files[0].path, said)
            self._publish(self._incubation.refused(request.files[0], said))
            return
        log.warning("the scheduler refuses %s: %s; asking again", request.TYPE, said)
        self._asker.back_off(now)

    def _take_events(self) -> None:
        for envelope in self._events.drain():
            if envelope.type == "settings.changed":
                event = SettingsEvent.from_body(envelope.body)
                self._apply(event.settings, event.revision)
            else:
                self._take_beat(envelope)

    def _take_beat(self, envelope: Envelope) -> None:
        """A scheduler with a new epoch may have lost the files: learn again what it has."""
        beat = ServiceEvent.from_body(envelope.body)
        if beat.service != "scheduler" or not beat.epoch:
            return
        if self._epoch and beat.epoch != self._epoch:
            log.info("the scheduler began a new state: comparing all files with it")
            self._incubation.forget()
            self._learnt_up_to, self._excluded, self._revision = 0, None, -1
        self._epoch = beat.epoch

    def _apply(self, values: dict[str, Any], revision: int) -> None:
        """Take the settings in force. Where another version's cannot be understood, the old ones stay."""
        if revision < self._revision or self._excluded is None:
            return
        try:
            settings = ImportSettings.model_validate(values.get("import"))
        except ValidationError as error:
            log.error("import settings of the scheduler are not understood, the old ones stay: %s", error)
            return
        self._revision = revision
        self._incubation.awaiting.wait_s = settings.metadata_wait
        here, excluded = self._paths.here, self._excluded
        template = Path(here(settings.metadata_template)) if settings.metadata_template else None
        named = tuple(Path(here(str(path))) for path in named_files(values))
        watched = Watched(tuple(settings.patterns), settings.recursive, excluded, named, template, self._follow_links)
        if watched != self._finder.watched:
            where = ", also in sub-folders" if watched.recursive else ""
            log.info("looking for %s%s", cut(", ".join(watched.patterns), LONGEST_SHOWN), where)
            self._finder.watch(watched)

    # --- telling ---

    def _publish(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            if notice.topic == "file.reference":
                log.warning("%s", notice.detail)
            elif notice.topic == "file.unreadable" and notice.path != ".":  # the finder tells of the directory itself
                log.warning("%s: %s", notice.path, notice.detail)
            elif notice.topic == "file.ready" and notice.detail:
                log.warning("%s: %s", notice.path, notice.detail, extra={"movie": movie_root(notice.path)})
            self._publisher.publish(notice.topic, FileEvent(notice.path, notice.detail))

    def _beat(self, now: float) -> None:
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT_S
            self._say("service.heartbeat")
            tell_alive()

    def _say(self, topic: str) -> None:
        detail = f"{self._incubation.incubating} incubating, {self._incubation.waiting} to register"
        self._publisher.publish(topic, ServiceEvent(SOURCE, socket.gethostname(), os.getpid(), detail=detail))
