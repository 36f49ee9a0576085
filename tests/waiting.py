"""Waits for what a test needs, longer on a busy machine."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest


def crowd() -> float:
    """How many processes want each core, now or on the average of a minute, whichever is more; at least 1."""
    minute, _, _, now, _ = Path("/proc/loadavg").read_text().split()
    return max(1.0, max(float(minute), int(now.partition("/")[0])) / (os.cpu_count() or 1))


def wait_until(
    condition: Callable[[], object], seconds: float = 10.0, what: str | Callable[[], str] = "condition"
) -> None:
    """Poll until the condition holds; at the deadline the test fails, and says what did not come true.

    The seconds are those of a machine of one's own: where several processes want each core, they last as much longer.
    """
    begun = looked = time.monotonic()
    left = seconds
    while not condition():
        now = time.monotonic()
        left -= (now - looked) / crowd()
        looked = now
        if left < 0:
            told = what if isinstance(what, str) else what()
            pytest.fail(f"{told} did not come true within {seconds} s ({now - begun:.0f} s on this busy machine)")
        time.sleep(min(max(0.01, (now - begun) / 20), 0.1))  # a condition that asks a session takes time from it


def wait_for_end(thread: threading.Thread, seconds: float = 10.0) -> None:
    """Wait until a thread has ended, as `wait_until` does."""

    def has_ended() -> bool:
        thread.join(0.1)
        return not thread.is_alive()

    wait_until(has_ended, seconds, f"the end of {thread.name}")


def delete_in_use(folder: Path) -> None:
    """Delete a folder into which somebody still writes."""

    def is_deleted() -> bool:
        try:
            shutil.rmtree(folder)
        except OSError:
            return False
        return True

    wait_until(is_deleted, what=f"the end of {folder}")
