"""Calls that may hang, such as those of a file system whose server is gone, beside a loop that must not."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SILENT_S = 10.0
"""A call that has not returned by then hangs: its file system gives no answer."""


class SideThread(Generic[T]):
    """One call at a time in a daemon thread. Nobody waits for a call that hangs, and its thread is left to itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._results: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()
        self._begun_at: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether no call runs and no result waits to be taken."""
        return self._begun_at is None

    def begin(self, call: Callable[[], T]) -> None:
        """Begin a call; only where the thread is free."""
        assert self.is_free
        self._begun_at = time.monotonic()
        results = self._results
        threading.Thread(target=_run, args=(call, results), name=self._name, daemon=True).start()

    def hangs_s(self, now: float) -> float:
        """How long the present call has run at monotonic time `now`, 0 where none does."""
        return now - self._begun_at if self._begun_at is not None else 0.0

    def taken(self, wait_s: float = 0.0) -> T | None:
        """The result of a call that has ended, once; None where there is none. Raises what the call raised.

        `wait_s`: wait for it up to so long, where a call runs.
        """
        if self.is_free:
            return None
        try:
            result = self._results.get(timeout=wait_s) if wait_s else self._results.get_nowait()
        except queue.Empty:
            return None
        self._begun_at = None
        if isinstance(result, Exception):
            raise result
        return result

    def give_up(self) -> None:
        """Leave a call that hangs to itself; its result is never taken."""
        self._results, self._begun_at = queue.SimpleQueue(), None


def _run(call: Callable[[], T], results: queue.SimpleQueue[T | Exception]) -> None:
    try:
        results.put(call())
    except Exception as error:  # noqa: BLE001 - it is raised where the result is taken
        results.put(error)
