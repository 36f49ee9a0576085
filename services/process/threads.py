"""How many threads a process may use."""

from __future__ import annotations

import os


def available_threads() -> int:
    """How many threads `OMP_NUM_THREADS` allows this process; without it, one for each core that it may run on."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(given)) if given.isdigit() else len(os.sched_getaffinity(0))
