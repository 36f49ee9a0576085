"""Why a compute process ended, in words and as a kind of failure."""

from __future__ import annotations

import signal
from pathlib import Path

from warpcore.bus.vocabulary import FailureKind

_CGROUP_EVENTS = Path("/sys/fs/cgroup/memory.events")
DEVICE_EXIT = 3
"""Exit status of a compute process whose device cannot be used."""
FULL_EXIT = 4
"""Exit status of a compute process that cannot start, since other programs use up its device's memory."""


def oom_kills(events: Path = _CGROUP_EVENTS) -> int:
    """How often the kernel has killed a process of this control group for lack of memory; 0 if that cannot be read."""
    try:
        for line in events.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    except (OSError, ValueError):
        return 0
    return 0


def exit_cause(returncode: int, new_oom_kills: int, last_line: str) -> tuple[FailureKind, str]:
    """`(kind, cause)` of a compute process's exit status; `last_line` of its log is added if the status says little."""
    if returncode == -signal.SIGKILL and new_oom_kills > 0:
        return FailureKind.RESOURCE, "killed by the kernel: out of memory"
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        return FailureKind.LOST_WORKER, f"compute process killed by {name}"
    kind = FailureKind.BAD_GPU if returncode == DEVICE_EXIT else FailureKind.LOST_WORKER
    tail = f": {last_line}" if last_line else ""
    return kind, f"compute process exited with status {returncode}{tail}"
