"""The tracker: follows the scheduler and writes the session's summary files whenever something changes."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from pathlib import Path

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import WireError
from warpcore.bus.events import Publisher
from warpcore.bus.follower import Follower
from warpcore.bus.messages import (
    ExportCollected,
    ExportJob,
    Exports,
    GetExport,
    GetExports,
    GetProcessing,
    ProcessingStatus,
    ServiceEvent,
)
from warpcore.bus.vocabulary import ErrorCode, JobState
from warpcore.services.formats.warp_xml import set_selection
from warpcore.services.session.errors import InputError
from warpcore.services.session.paths import PathOutsideError, inside, sweep_temporaries, write_text_whole
from warpcore.services.session.tables import PARTICLES
from warpcore.services.steps.export import MOVIE_XML
from warpcore.services.tracker.particles import collect_particles
from warpcore.services.tracker.state import TrackerState

log = logging.getLogger("warpcore.tracker")

TOPICS = ("movie.", "settings.", "export.")
BEAT_S = 2.0
RETRY_S = 1.0
XML_SLICE_S = 0.5
"""Seconds for XML files before other files are written again."""


def run_tracker(
    endpoints: Endpoints,
    processing_directory: Path,
    *,
    debounce_s: float = 1.0,
    max_delay_s: float = 10.0,
    stop: threading.Event,
) -> None:
    """Write JSON, STAR and XML files under `processing_directory` from the scheduler's state until `stop` is set.

    Nothing is written before the scheduler has told its whole state; a file that says the right thing already is left
    alone. Where a file cannot be written, that is logged and tried again.
    """
    directory = processing_directory.absolute()
    shell = _Shell(endpoints, directory, TrackerState(str(directory), debounce_s, max_delay_s))
    try:
        shell.run(stop)
    finally:
        shell.close()


class _Shell:
    """Sockets, files and the clock around a `TrackerState`."""

    def __init__(self, endpoints: Endpoints, directory: Path, state: TrackerState) -> None:
        self._directory = directory
        self._state = state
        self._follower = Follower(endpoints, "tracker", TOPICS)
        self._client = RequestClient(endpoints.control, "tracker", timeout_s=2.0, attempts=1)
        self._publisher = Publisher(endpoints.events_in, "tracker")
        self._on_disk: dict[str, str] = {}
        self._answered_resets = 0
        self._ask_at = 0.0
        self._beat_at = 0.0
        self._complaints: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """The loop."""
        log.info("tracker keeps the files in %s", self._directory)
        for name in sweep_temporaries(self._directory):
            log.info("%s: half written by a tracker that was killed, deleted", name)
        self._tell("service.started")
        while not stop.is_set():
            for item in self._follower.poll(self._state.wait_s(time.monotonic())):
                self._state.apply(item, time.monotonic())
            self._round()
        self._state.debounce_s = 0.0
        self._write()
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
        if self._answered_resets != self._state.resets and now >= self._ask_at:
            self._ask()
        self._write()
        self._select()
        if self._state.collecting and time.monotonic() >= self._ask_at:
            self._collect()

    def _tell(self, topic: str) -> None:
        self._publisher.publish(topic, ServiceEvent("tracker", socket.gethostname(), os.getpid()))

    def _ask(self) -> None:
        """Ask for what a snapshot does not hold: where the movies are, and which export jobs wait."""
        resets = self._state.resets
        try:
            status = self._client.request(GetProcessing())
            if isinstance(status, ProcessingStatus):
                self._state.set_data_directory(status.data_directory, time.monotonic())
            waiting = self._client.request(GetExports(JobState.COLLECTING))
            if isinstance(waiting, Exports):
                self._state.collecting |= {job.job for job in waiting.jobs}
        except (NoAnswerError, RefusedError, WireError) as error:
            self._complain(f"the scheduler does not say where the movies are and which exports wait: {error}")
            self._ask_at = time.monotonic() + RETRY_S
            return
        self._answered_resets = resets

    def _write(self) -> None:
        for name in self._state.due(time.monotonic()):
            started = time.monotonic()
            try:
                if name == PARTICLES:
                    collect_particles(self._directory, self._state.particle_files(), PARTICLES)
                else:
                    self._write_text(name, self._state.text(name))
            except OSError as error:
                self._complain(f"{self._directory / name}: cannot be written ({error}); trying again")
                self._state.failed(time.monotonic(), RETRY_S)
                return
            self._state.written(name, time.monotonic(), time.monotonic() - started)
            self._complaints.clear()

    def _write_text(self, name: str, text: str) -> None:
        """Write the file unless it has this text already, so that its time is that of the last change."""
        path = self._directory / name
        if self._on_disk.get(name) is None and path.is_file():
            self._on_disk[name] = path.read_text(encoding="utf-8", errors="replace")
        if self._on_disk.get(name) != text or not path.is_file():
            write_text_whole(path, text)
        self._on_disk[name] = text

    def _select(self) -> None:
        """Write the selection into XML files for a limited time; the rest follows the next time."""
        deadline = time.monotonic() + XML_SLICE_S
        selections = self._state.selections
        while selections and time.monotonic() < deadline:
            name, flags = next(iter(selections.items()))
            del selections[name]
            try:
                set_selection(inside(self._directory, MOVIE_XML.path(name)), *flags)
            except FileNotFoundError:
                log.debug("%s has no XML", name)
            except (OSError, InputError, PathOutsideError) as error:
                self._complain(f"{name}: its XML does not get the selection: {error}")

    def _collect(self) -> None:
        """Write the summary of each waiting job and tell the scheduler, again where it does not answer."""
        for job in sorted(self._state.collecting):
            target = f"{job}.star" if self._state.settings.export.particles else PARTICLES
            try:
                files = self._job_files(job)
                if files is not None:
                    rows = collect_particles(self._directory, files, target)
                    self._client.request(ExportCollected(job, target))
                    log.info("%s: %d particles of %d movies in %s", job, rows, len(files), target)
            except (RefusedError, NoAnswerError, WireError, OSError) as error:
                if not isinstance(error, RefusedError) or error.error.code == ErrorCode.INTERNAL:
                    self._complain(f"export {job}: its summary is not written: {error}; trying again")
                    self._ask_at = time.monotonic() + RETRY_S
                    return
                log.warning("export %s: %s", job, error)
            self._state.collecting.discard(job)

    def _job_files(self, job: str) -> list[str] | None:
        """The particle files that a job made; None where the job no longer waits."""
        files: list[str] = []
        after: int | None = 0
        while after is not None:
            answer = self._client.request(GetExport(job, after))
            if not isinstance(answer, ExportJob) or answer.state != JobState.COLLECTING:
                return None
            files += [name for name in answer.files if name.endswith(".star")]
            after = answer.next_after
        return files

    def _complain(self, text: str) -> None:
        """Log a fault once; again only after a file could be written."""
        if text not in self._complaints:
            self._complaints.add(text)
            log.error("%s", text)
