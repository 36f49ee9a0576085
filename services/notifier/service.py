"""The notifier's loop: hears of alarms, asks which hold, sends what is due, and keeps what it has told in a file."""

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
from warpcore.bus.messages import Alarm, Alarms, GetAlarms
from warpcore.bus.vocabulary import Severity
from warpcore.services.notifier.channels import Send, SendError, channels
from warpcore.services.notifier.configuration import Configuration, ConfigurationError, read_configuration
from warpcore.services.notifier.state import USUAL, Notice, NotifierState, Pace
from warpcore.services.session.paths import write_text_whole

log = logging.getLogger("warpcore.notifier")

KEPT_IN = Path(".warpcore") / "notifier.json"
ANSWER_S = 3.0
SCHEDULER_LOST = "scheduler-lost:scheduler"


def run_notifier(
    endpoints: Endpoints,
    processing_directory: Path,
    configuration: Path,
    *,
    pace: Pace = USUAL,
    stop: threading.Event,
) -> None:
    """Send alarms as the file `configuration` says, until `stop` is set.

    Raises ConfigurationError where that file cannot be used at the start; one that is changed later and cannot be used
    is told in the log, and the former one holds.
    """
    shell = _Shell(endpoints, processing_directory, configuration, pace)
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

    def __init__(self, endpoints: Endpoints, processing_directory: Path, configuration: Path, pace: Pace) -> None:
        self._file = configuration
        self._read_ns = 0
        self._configuration = Configuration()
        self._channels: Mapping[str, Send] = {}
        self._kept_in = processing_directory / KEPT_IN
        self._state = self._kept()
        self._configure()
        self._pace = pace
        self._answered_at = time.monotonic()
        self._ask_at = 0.0
        self._events = Subscriber(endpoints.events_out, ("alarm.",))
        self._client = RequestClient(endpoints.control, "notifier", timeout_s=min(ANSWER_S, pace.ask_s), attempts=1)
        self._complaint = ""

    def run(self, stop: threading.Event) -> None:
        """The loop."""
        log.info("alarms are sent by %s", " and ".join(self._channels))
        while not stop.is_set():
            if time.monotonic() >= self._ask_at:
                self._configure_again()
                self._ask()
            self._send()
            if self._events.receive(0.5) is not None:
                for _ in self._events.drain():
                    pass
                self._ask_at = 0.0

    def close(self) -> None:
        """Disconnect."""
        self._events.close()
        self._client.close()

    def _ask(self) -> None:
        now = time.monotonic()
        self._ask_at = now + self._pace.ask_s
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
            self._keep()

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
            self._keep()

    def _configure(self) -> bool:
        """Read the file, and return True, where it has changed. Raises ConfigurationError."""
        seen = _stat(self._file)
        if seen.st_mtime_ns == self._read_ns:
            return False
        self._configuration = read_configuration(self._file)
        self._read_ns = seen.st_mtime_ns
        if seen.st_mode & 0o077:
            log.warning("%s holds secrets and others can read it; `chmod 600` it", self._file)
        self._channels = channels(self._configuration)
        self._state.use(self._channels)
        return True

    def _configure_again(self) -> None:
        """Go by the file as it is now, where it has changed and can be used."""
        try:
            if self._configure():
                log.info("%s has changed; alarms are sent by %s", self._file, " and ".join(self._channels))
        except ConfigurationError as error:
            self._complain(f"{error}; the former one holds")

    def _kept(self) -> NotifierState:
        """What an earlier notifier has told."""
        try:
            state = msgspec.json.decode(self._kept_in.read_bytes(), type=NotifierState)
        except FileNotFoundError:
            return NotifierState()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("%s cannot be read, alarms that hold are told anew: %s", self._kept_in, error)
            return NotifierState()
        for outbox in state.outboxes.values():
            outbox.failures, outbox.next_at = 0, 0.0  # of another process's clock
        return state

    def _keep(self) -> None:
        try:
            self._kept_in.parent.mkdir(parents=True, exist_ok=True)
            write_text_whole(self._kept_in, msgspec.json.encode(self._state).decode())
        except OSError as error:
            self._complain(f"{self._kept_in} cannot be written, after a restart alarms are told anew: {error}")

    def _complain(self, text: str) -> None:
        """Log a fault, once where it comes again and again."""
        if text != self._complaint:
            self._complaint = text
            log.error("%s", text)


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}; give another --notify") from None
