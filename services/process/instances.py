"""The instance of a process: a unique text by which other processes of its host can tell whether it still runs."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

_PROC = Path("/proc")
_START_FIELD = 19
"""Of `/proc/<pid>/stat`, counted after the name: the start time in ticks since boot."""
_DEAD = ("Z", "X")


def new_instance(pid: int | None = None) -> str:
    """A new instance of the process `pid`, by default this one: `boot/namespace/pid/start/random`.

    Boot id, namespace of process ids and start time are empty where the system does not tell them.
    """
    pid = os.getpid() if pid is None else pid
    _, start = _state_and_start(pid)
    return "/".join((*_where(), str(pid), start, uuid.uuid4().hex))


def has_ended(instance: str) -> bool:
    """Whether the process of an instance has ended; False also where this process cannot tell (another host, boot)."""
    boot, namespace, pid, start, *rest = [*instance.split("/"), "", "", "", ""]
    if not (any(rest) and boot and namespace and start and pid.isdecimal()) or (boot, namespace) != _where():
        return False
    state, started = _state_and_start(int(pid))
    return started != start or state in _DEAD


def _where() -> tuple[str, str]:
    """The boot of this host and the namespace of process ids that this process sees."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return boot, os.readlink(_PROC / "self/ns/pid").strip("pid:[]")
    except OSError:
        return "", ""


def _state_and_start(pid: int) -> tuple[str, str]:
    """State and start time of a process, both empty where there is none."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[_START_FIELD]
