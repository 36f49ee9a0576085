"""Why a compute process ended, in words and as a kind of failure."""

from __future__ import annotations

import signal
from pathlib import Path

_CGROUP_EVENTS = Path("/sys/fs/cgroup/memory.events")
DEVICE_EXIT = 3
"""Exit status of a compute process whose device cannot be used."""


def oom_kills(events: Path = _CGROUP_EVENTS) -> int:
    """How often the kernel has ended a process of this control group for lack of memory; 0 where that cannot be read."""
    try:
        for line in events.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    except (OSError, ValueError):
        return 0
    return 0


def exit_cause(returncode: int, new_oom_kills: int, last_line: str) -> tuple[str, str]:
    """`(kind, cause)` for a compute process's exit status; `last_line` of its log where the status says little."""
    if returncode == -signal.SIGKILL and new_oom_kills > 0:
        return "resource", "killed by the kernel: out of memory"
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        return "lost_worker", f"compute process killed by {name}"
    kind = "bad_gpu" if returncode == DEVICE_EXIT else "lost_worker"
    tail = f": {last_line}" if last_line else ""
    return kind, f"compute process exited with status {returncode}{tail}"
