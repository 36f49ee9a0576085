"""Checks of a compute process's device: between movies, and behind failures that can come from it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import NoReturn

from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.checkups import Checkups
from warpcore.services.worker.exits import DEVICE_EXIT
from warpcore.services.worker.failures import TaskError
from warpcore.services.worker.line import Command, Faulty, Ready, Report

log = logging.getLogger("warpcore.worker.compute")


class DeviceChecks:
    """`check` tells what is wrong with the device, or None; it runs between movies, `every_s` apart."""

    def __init__(
        self, line: Channel[Report, Command], ready: Ready, check: Callable[[], str | None], every_s: float
    ) -> None:
        self._line = line
        self._ready = ready
        self._check = check
        self._checkups = Checkups(time.monotonic(), every_s)

    def wait_s(self) -> float:
        """Seconds until one is due."""
        return self._checkups.wait_s(time.monotonic())

    def check_if_due(self) -> None:
        """Check the device where it is time. A faulty one ends the process."""
        if not self._checkups.due(time.monotonic()):
            return
        from warpcore.services.worker.device_check import NotCheckedError

        try:
            fault = self._check()
        except NotCheckedError as error:
            log.warning("%s", error)
            self._checkups.postponed(time.monotonic())
            return
        if fault is not None:
            self.end_faulty(fault)
        self._checkups.done(time.monotonic())

    def fault_behind(self, error: TaskError) -> str | None:
        """What is wrong with the device, where a failure can come from that."""
        from warpcore.services.worker.device_check import NotCheckedError

        if error.kind not in (FailureKind.INTERNAL, FailureKind.BAD_GPU):
            return None
        try:
            return self._check()
        except NotCheckedError as not_checked:
            log.warning("%s", not_checked)
            return None

    def end_faulty(self, fault: str) -> NoReturn:
        """Tell the nanny, and end without more words with a device that may hang."""
        report_fault(self._line, self._ready, fault)
        os._exit(DEVICE_EXIT)


def report_fault(line: Channel[Report, Command], ready: Ready, fault: str) -> None:
    """Tell the nanny that the device is faulty; the log says it too."""
    log.error("%s: %s", ready.device, fault)
    line.send(Faulty(ready, fault))
