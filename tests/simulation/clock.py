"""Simulated time: events in order, and chance from one seed."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
from collections.abc import Callable

BEGIN_S = 1000.0
EPOCH_S = 1.7e9
"""The wall clock is this much ahead of the monotonic one."""


class Timer:
    """An action to come; `cancel` it, and it never comes."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """It will not happen."""
        self.action = None


class Simulator:
    """The clock and the events that wait for it. It stands for the module `time` where the product asks for one."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = BEGIN_S
        self.lines: list[str] | None = None
        """The trace in words; None: only its digest is kept."""
        self._trace = hashlib.blake2b(digest_size=8)
        self._waiting: list[tuple[float, int, Timer]] = []
        self._number = itertools.count()

    def monotonic(self) -> float:
        """Seconds on the clock that decides."""
        return self.now

    def time(self) -> float:
        """Seconds since the epoch, as people are shown them."""
        return self.now + EPOCH_S

    def stream(self, name: str) -> random.Random:
        """Chance for one purpose. Purposes do not disturb each other: without a fault the rest goes on as before."""
        return random.Random(f"{self.seed} {name}")

    def after(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Do this `delay_s` from now."""
        timer = Timer(action)
        heapq.heappush(self._waiting, (self.now + delay_s, next(self._number), timer))
        return timer

    def run(self, until: float) -> None:
        """Let all happen that happens before `until`."""
        while self._waiting and self._waiting[0][0] <= until:
            at, _, timer = heapq.heappop(self._waiting)
            if timer.action is not None:
                self.now = max(self.now, at)
                timer.action()
        self.now = max(self.now, until)

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        line = f"{self.now - BEGIN_S:8.3f} {text}"
        self._trace.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Stands for all that has happened: equal for equal runs."""
        return self._trace.hexdigest()
