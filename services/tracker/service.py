"""The tracker: follows the scheduler and writes the session's summary files whenever something changes."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import WireError
from warpcore.bus.events import Publisher
from warpcore.bus.follower import Follower
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import (
    ExportCollected,
    Exports,
    GetExports,
    GetProcessing,
    ProcessingStatus,
    ServiceEvent,
)
from warpcore.bus.vocabulary import ErrorCode, JobState
from warpcore.services.process.alive import tell_alive
from warpcore.services.process.side_thread import SideThread
from warpcore.services.session.tables import PARTICLES
from warpcore.services.tracker.export_files import particle_files_of
from warpcore.services.tracker.state import TrackerState
from warpcore.services.tracker.writing import MOST_XML, Files, Selected

log = logging.getLogger("warpcore.tracker")

TOPICS = ("movie.", "settings.", "export.")
BEAT_S = 2.0
RETRY_S = 1.0
LOOK_EVERY_S = 5.0
"""How often the tracker looks whether its files are still those that it wrote."""
BUSY_S = 0.02
"""How soon the loop looks again whether a file was written."""
LAST_WRITES_S = 8.0
"""At its end the tracker waits so long for what is still to be written."""


def run_tracker(
    endpoints: Endpoints,
    processing_directory: Path,
    *,
    debounce_s: float = 1.0,
    max_delay_s: float = 10.0,
    key: ClientKey | None = None,
    stop: threading.Event,
) -> None:
    """Write JSON, STAR and XML files under `processing_directory` from the scheduler's state until `stop` is set.

    Nothing is written before the scheduler has told its whole state; a file that says the right thing already is left
    alone. Where a file cannot be written, that is logged and tried again. Files are named as the scheduler's host sees
    them, wherever this host does. It connects under `key`.
    """
    state = TrackerState(str(processing_directory), debounce_s, max_delay_s)
    shell = _Shell(endpoints, processing_directory, state, key)
    try:
        shell.run(stop)
    finally:
        shell.close()


class _Shell:
    """Sockets and the clock around a `TrackerState`; files are written in a thread, one after another.

    What runs there returns what the loop is to do with its outcome.
    """

    def __init__(self, endpoints: Endpoints, directory: Path, state: TrackerState, key: ClientKey | None) -> None:
        self._directory = directory
        self._state = state
        self._files = Files(directory)
        self._writer: SideThread[Callable[[], None]] = SideThread("write the session's files")
        self._follower = Follower(endpoints, "tracker", TOPICS, key=key)
        self._client = RequestClient(endpoints.control, "tracker", timeout_s=2.0, attempts=1, key=key)
        self._publisher = Publisher(endpoints.events_in, "tracker", key=key)
        self._answered_resets = 0
        self._ask_at = 0.0
        self._beat_at = 0.0
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._complaints: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """The loop."""
        log.info("tracker keeps the files in %s", self._directory)
        self._writer.begin(self._sweep)
        self._tell("service.started")
        while not stop.is_set():
            wait_s = self._state.wait_s(time.monotonic())
            for item in self._follower.poll(wait_s if self._writer.is_free else min(wait_s, BUSY_S)):
                self._state.apply(item, time.monotonic())
            self._round()
        self._state.debounce_s = 0.0
        self._write_last()
        self._tell("service.stopping")

    def close(self) -> None:
        """Disconnect."""
        self._follower.close()
        self._client.close()
        self._publisher.close()

    def _round(self) -> None:
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self._tell("service.heartbeat")
            tell_alive()
        if self._answered_resets != self._state.resets and now >= self._ask_at:
            self._ask()
        self._take_written()
        if self._writer.is_free and not (self._write_next() or self._select_next() or self._look_next()):
            self._collect_next()

    def _tell(self, topic: str) -> None:
        self._publisher.publish(topic, ServiceEvent("tracker", socket.gethostname(), os.getpid()))

    def _ask(self) -> None:
        """Ask for what a snapshot does not hold: where the movies are, and which export jobs wait."""
        resets = self._state.resets
        try:
            status = self._client.request(GetProcessing())
            if isinstance(status, ProcessingStatus):
                data, processing = status.data_directory, status.processing_directory
                self._state.set_directories(data, processing, time.monotonic())
            waiting = self._client.request(GetExports(JobState.COLLECTING))
            if isinstance(waiting, Exports):
                self._state.collecting |= {job.job for job in waiting.jobs}
        except (NoAnswerError, RefusedError, WireError) as error:
            self._complain(f"the scheduler does not say where the movies are and which exports wait: {error}")
            self._ask_at = time.monotonic() + RETRY_S
            return
        self._answered_resets = resets

    # --- files -----------------------------------------------------------------------------------------------------

    def _take_written(self, wait_s: float = 0.0) -> None:
        """Do what follows from a write that has ended."""
        then = self._writer.taken(wait_s)
        if then is not None:
            then()

    def _sweep(self) -> Callable[[], None]:
        try:
            self._files.sweep()
        except OSError as error:
            return partial(self._complain, f"{self._directory}: cannot be looked through: {error}")
        return lambda: None

    def _write_next(self) -> bool:
        """Begin to write the next file that is due; whether there is one."""
        due = self._state.due(time.monotonic())
        if not due:
            return False
        name, state = due[0], self._state
        state.begun(name)
        if name == PARTICLES:
            groups = state.groups_of_averages()
            write: Callable[[], object] = partial(self._files.collect, state.particle_files(), PARTICLES, groups)
        else:
            write = partial(self._files.write, name, state.text(name))

        def written() -> Callable[[], None]:
            began = time.monotonic()
            try:
                write()
            except OSError as error:
                return partial(self._failed, name, str(error))
            return partial(self._written, name, time.monotonic() - began)

        self._writer.begin(written)
        return True

    def _written(self, name: str, took_s: float) -> None:
        self._state.written(name, time.monotonic(), took_s)
        self._complaints.clear()

    def _failed(self, name: str, why: str) -> None:
        self._complain(f"{self._directory / name}: cannot be written ({why}); trying again")
        self._state.failed(name, time.monotonic(), RETRY_S)

    def _write_last(self) -> None:
        """Write what is due at the end, unless the storage hangs."""
        deadline = time.monotonic() + LAST_WRITES_S
        while time.monotonic() < deadline:
            if self._writer.is_free and not self._write_next():
                return
            self._take_written(BUSY_S)

    def _select_next(self) -> bool:
        """Begin to write selections into XML files; whether there are any."""
        selections = dict(islice(self._state.selections.items(), MOST_XML))
        for name in selections:
            del self._state.selections[name]
        if selections:
            self._writer.begin(lambda: partial(self._selected, self._files.select(selections)))
        return bool(selections)

    def _selected(self, told: Selected) -> None:
        self._state.selections = {**told.left, **self._state.selections}
        for fault in told.faults:
            self._complain(fault)

    def _look_next(self) -> bool:
        """Begin to look whether files were changed or lost, where it is time; whether it is."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_EVERY_S
        self._writer.begin(lambda: partial(self._changed, self._files.changed()))
        return True

    def _changed(self, names: list[str]) -> None:
        if again := self._state.changed(names, time.monotonic()):
            log.warning("%s: changed or gone; written again", ", ".join(again))

    def _collect_next(self) -> None:
        """Begin to write the summary of a job that waits."""
        if not self._state.collecting or time.monotonic() < self._ask_at:
            return
        job = min(self._state.collecting)
        try:
            found = particle_files_of(self._client, job)
        except (NoAnswerError, RefusedError, WireError) as error:
            self._not_collected(job, error)
            return
        if found is None:
            self._state.collecting.discard(job)
            return
        folder, files = found
        target = f"{folder}/{PARTICLES}"

        groups = self._state.groups_of_averages()

        def collected() -> Callable[[], None]:
            try:
                rows = self._files.collect(files, target, groups)
            except OSError as error:
                return partial(self._not_collected, job, error)
            return partial(self._collected, job, target, f"{rows} particles of {len(files)} movies")

        self._writer.begin(collected)

    def _collected(self, job: str, target: str, what: str) -> None:
        """Tell the scheduler that a job's summary is written."""
        try:
            self._client.request(ExportCollected(job, target))
        except (NoAnswerError, RefusedError, WireError) as error:
            self._not_collected(job, error, target)
            return
        log.info("%s: %s in %s", job, what, target)
        self._state.collecting.discard(job)

    def _not_collected(self, job: str, error: Exception, written: str = "") -> None:
        """Try again, unless the job is gone: then the summary that was `written` of it goes too."""
        if isinstance(error, RefusedError) and error.error.code != ErrorCode.INTERNAL:
            log.warning("export %s: %s", job, error)
            self._state.collecting.discard(job)
            if written:
                self._writer.begin(partial(self._withdrawn, written))
            return
        self._complain(f"export {job}: its summary is not written: {error}; trying again")
        self._ask_at = time.monotonic() + RETRY_S

    def _withdrawn(self, name: str) -> Callable[[], None]:
        try:
            self._files.withdraw(name)
        except OSError as error:
            return partial(self._complain, f"{self._directory / name}: cannot be deleted: {error}")
        return lambda: None

    def _complain(self, text: str) -> None:
        """Log a fault once; again only after a file could be written."""
        if text not in self._complaints:
            self._complaints.add(text)
            log.error("%s", text)
