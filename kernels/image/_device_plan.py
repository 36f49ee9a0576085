"""How a movie is worked on within a device's memory. Results have the same bytes whatever the plan."""

from __future__ import annotations

from dataclasses import dataclass

import jax

_MOST_FRAMES = 8
_FRAME_BYTES = 28
"""Bytes a pixel of each frame that is corrected at once: electrons, the windows of all cells, and both passes."""
_FIXED_BYTES = 72
"""Bytes a pixel that are needed besides: gain, sums for defects, spectra and images with what their transforms take."""
_KEPT_FREE = 0.1


@dataclass(frozen=True)
class Plan:
    """Whether a movie stays on the device, and how many of its frames are worked on at once."""

    resident: bool
    frames: int


def plan_movie(pixels: int, stored_bytes: int, sums: int, memory_bytes: int, fit_bytes: int = 0) -> Plan:
    """A plan for frames of `pixels` in a movie of `stored_bytes`, of which `sums` weighted sums are made.

    `fit_bytes` are what the motion fit takes; it has ended before the sums are made. A resident movie leaves room for
    the next, which is sent while it is worked on. Where nothing fits, the smallest plan is returned.
    """
    free = memory_bytes * (1 - _KEPT_FREE) - max(pixels * (_FIXED_BYTES + 4 * sums), fit_bytes)
    for resident in (True, False):
        left = free - 2 * stored_bytes if resident else free
        frames = _MOST_FRAMES
        while frames > 1:
            if frames * pixels * _FRAME_BYTES <= left:
                return Plan(resident, frames)
            frames //= 2
    return Plan(False, 1)


def device_memory_bytes() -> int | None:
    """What this process may use of the device's memory; None where the backend does not say (a CPU)."""
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return int(limit) if limit else None
