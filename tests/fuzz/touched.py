"""How much memory a call touches, also by C libraries, whose allocations Python does not see."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def forget_peak() -> int:
    """The bytes of memory that this process holds now, from which its peak is counted again (proc(5), clear_refs)."""
    with suppress(OSError):
        _CLEAR.write_text("5")
    return peak_bytes()


def peak_bytes() -> int:
    """The most bytes of memory that this process has held since then."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
