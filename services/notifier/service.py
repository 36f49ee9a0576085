"""The notifier's loop: hears of alarms, asks which hold, sends what is due, and keeps what it has told in a file.

Files are read and written in threads: that the processing directory hangs is itself an alarm that must be sent.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import WireError
from warpcore.bus.events import Subscriber
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import Alarm, Alarms, GetAlarms
from warpcore.bus.vocabulary import Severity
from warpcore.services.notifier.channels import Send, SendError, channels
from warpcore.services.notifier.configuration import Configuration, ConfigurationError, read_configuration
from warpcore.services.notifier.state import USUAL, Notice, NotifierState, Pace
from warpcore.services.process.alive import tell_alive
from warpcore.services.process.side_thread import SideThread
from warpcore.services.session.paths import write_text_whole

log = logging.getLogger("warpcore.notifier")

KEPT_IN = Path(".warpcore") / "notifier.json"
ANSWER_S = 3.0
LAST_WRITE_S = 2.0
_Changed = tuple[Configuration, os.stat_result]
SCHEDULER_LOST = "scheduler-lost:scheduler"


def run_notifier(
    endpoints: Endpoints,
    processing_directory: Path,
    configuration: Path,
    *,
    pace: Pace = USUAL,
    key: ClientKey | None = None,
    stop: threading.Event,
) -> None:
    """Send alarms as the file `configuration` says, until `stop` is set. It connects under `key`.

    Raises ConfigurationError where that file cannot be used at the start; one that is changed later and cannot be used
    is told in the log, and the former one holds.
    """
    shell = _Shell(endpoints, processing_directory, configuration, pace, key)
    try:
        shell.run(stop)
    finally:
        shell.close()


def send_test(configuration: Path) -> list[str]:
    """Send one test message through each channel; returns the names. Raises ConfigurationError or SendError."""
    found = channels(read_configuration(configuration))
    alarm = Alarm("test:test", Severity.WARNING, "test", "this is a test; nothing is wrong", time.time(), "test")
    for name, send in found.items():
        try:
            send([Notice(alarm, alarm.since)])
        except SendError as error:
            raise SendError(f"{name}: {error}") from None
    return list(found)


class _Shell:
    """Sockets, the file and the clock around a `NotifierState`."""

    def __init__(
        self,
        endpoints: Endpoints,
        processing_directory: Path,
        configuration: Path,
        pace: Pace,
        key: ClientKey | None = None,
    ) -> None:
        self._file = configuration
        self._changed_ns = 0
        self._configuration = Configuration()
        self._channels: Mapping[str, Send] = {}
        self._kept_in = processing_directory / KEPT_IN
        self._state = self._kept()
        self._keeper: SideThread[str] = SideThread("keep what was told")
        self._unkept = False
        self._reader: SideThread[_Changed | None] = SideThread("read the configuration")
        self._configure(read_configuration(configuration), _stat(configuration))
        self._pace = pace
        self._answered_at = time.monotonic()
        self._ask_at = 0.0
        self._events = Subscriber(endpoints.events_out, ("alarm.",), key)
        patience_s = min(ANSWER_S, pace.ask_s)
        self._client = RequestClient(endpoints.control, "notifier", timeout_s=patience_s, attempts=1, key=key)
        self._complaint = ""

    def run(self, stop: threading.Event) -> None:
        """The loop."""
        log.info("alarms are sent by %s", " and ".join(self._channels))
        while not stop.is_set():
            self._reconfigure()
            if time.monotonic() >= self._ask_at:
                self._ask()
            self._send()
            self._keep()
            if self._events.receive(0.5) is not None:
                for _ in self._events.drain():
                    pass
                self._ask_at = 0.0
        self._keep(LAST_WRITE_S)

    def close(self) -> None:
        """Disconnect."""
        self._events.close()
        self._client.close()

    def _ask(self) -> None:
        now = time.monotonic()
        self._ask_at = now + self._pace.ask_s
        tell_alive()
        try:
            answer = self._client.request(GetAlarms())
        except (NoAnswerError, RefusedError, WireError) as error:
            log.debug("%s", error)
            if time.monotonic() - self._answered_at >= self._pace.silent_s:
                self._see([*self._known(), self._scheduler_lost()])
            return
        if isinstance(answer, Alarms):
            self._answered_at = time.monotonic()
            self._see(answer.alarms)

    def _known(self) -> list[Alarm]:
        return [alarm for id, alarm in self._state.known.items() if id != SCHEDULER_LOST]

    def _scheduler_lost(self) -> Alarm:
        silent_s = time.monotonic() - self._answered_at
        text = f"the scheduler has not answered for {silent_s / 60:.0f} min; nothing is processed"
        since = time.time() - silent_s
        return Alarm(SCHEDULER_LOST, Severity.CRITICAL, "scheduler", text, since, "the scheduler does not answer")

    def _see(self, alarms: list[Alarm]) -> None:
        if self._state.see(alarms, self._configuration.severity, time.monotonic(), time.time(), self._pace):
            self._unkept = True

    def _send(self) -> None:
        for name, outbox in self._state.outboxes.items():
            notices = outbox.due(time.monotonic())
            if not notices:
                continue
            try:
                self._channels[name](notices)
            except SendError as error:
                pause_s = outbox.failed(time.monotonic(), self._pace)
                self._complain(f"{name}: {error}; {len(notices)} notices are sent again in {pause_s:g} s")
                continue
            outbox.sent(notices)
            self._complaint = ""
            log.info("%d notices sent by %s", len(notices), name)
            self._unkept = True

    def _reconfigure(self) -> None:
        """Take the file as it was read in the meantime, where it has changed, and look at it again."""
        try:
            changed = self._reader.taken()
            if changed is not None:
                self._configure(*changed)
                log.info("%s has changed; alarms are sent by %s", self._file, " and ".join(self._channels))
        except ConfigurationError as error:
            self._complain(f"{error}; the former one holds")
        if self._reader.is_free:
            known = self._changed_ns
            self._reader.begin(lambda: _read_changed(self._file, known))

    def _configure(self, configuration: Configuration, seen: os.stat_result) -> None:
        if seen.st_mode & 0o077:
            log.warning("%s holds secrets and others can read it; `chmod 600` it", self._file)
        self._configuration, self._changed_ns = configuration, seen.st_mtime_ns
        self._channels = channels(configuration)
        self._state.use(self._channels)

    def _kept(self) -> NotifierState:
        """What an earlier notifier has told."""
        try:
            state = msgspec.json.decode(self._kept_in.read_bytes(), type=NotifierState)
        except FileNotFoundError:
            return NotifierState()
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read, alarms that hold are told anew: %s", self._kept_in, error)
            return NotifierState()
        for outbox in state.outboxes.values():
            outbox.failures, outbox.next_at = 0, 0.0  # of another process's clock
        return state

    def _keep(self, wait_s: float = 0.0) -> None:
        """Have what was told written, where it is not; `wait_s`: wait for it up to so long."""
        self._take_kept(wait_s)
        if self._unkept and self._keeper.is_free:
            self._unkept = False
            text = msgspec.json.encode(self._state).decode()
            self._keeper.begin(lambda: _written(self._kept_in, text))
            self._take_kept(wait_s)

    def _take_kept(self, wait_s: float) -> None:
        if fault := self._keeper.taken(wait_s):
            self._unkept = True
            self._complain(f"{self._kept_in} cannot be written, after a restart alarms are told anew: {fault}")

    def _complain(self, text: str) -> None:
        """Log a fault, once where it comes again and again."""
        if text != self._complaint:
            self._complaint = text
            log.error("%s", text)


def _written(path: Path, text: str) -> str:
    """Write a file whole; why that cannot be, "" where it is done."""
    try:
        write_text_whole(path, text)
    except OSError as error:
        return str(error)
    return ""


def _read_changed(path: Path, changed_ns: int) -> _Changed | None:
    """The configuration where its file is newer. Raises ConfigurationError."""
    seen = _stat(path)
    return (read_configuration(path), seen) if seen.st_mtime_ns != changed_ns else None


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}; give another --notify") from None
