"""How long a process sleeps over one input, told apart from the time for which a busy machine lets it wait for a CPU.

Linux counts for each thread how long it ran and how long it was ready to run (`/proc/PID/task/TID/schedstat`, both in
ns; proc(5), Documentation/scheduler/sched-stats.rst). What is left of the time on the wall it slept.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_SELF = Path("/proc/thread-self/schedstat")


def ready_s() -> float:
    """How long this thread was ready to run so far and had no CPU; 0 where the kernel does not count it."""
    try:
        return int(_SELF.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def busy_s(pid: int) -> dict[int, float] | None:
    """For each thread of a process how long it ran or was ready to run, in s; None where nobody counts it."""
    found = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has ended
            ran_ns, ready_ns, _ = map(int, path.read_text().split())
            found[int(path.parent.name)] = (ran_ns + ready_ns) / 1e9
    return found or None


class Rest:
    """How long a process has slept over its present input, by what was seen of it from time to time."""

    def __init__(self) -> None:
        self._trial: object = None
        self._seen_s = 0.0
        self._busy_s: Mapping[int, float] = {}
        self._asleep_s = 0.0

    def look(self, trial: object, now_s: float, busy_s: Mapping[int, float]) -> float:
        """The seconds without any thread that ran or was ready to, since `trial` was first seen.

        A thread that is new was busy for all its time; one that has ended, for none since the last look.
        """
        if trial != self._trial:
            self._asleep_s = 0.0
        else:
            busy = sum(spent - self._busy_s.get(thread, 0.0) for thread, spent in busy_s.items())
            self._asleep_s += max(0.0, now_s - self._seen_s - busy)
        self._trial, self._seen_s, self._busy_s = trial, now_s, dict(busy_s)
        return self._asleep_s
