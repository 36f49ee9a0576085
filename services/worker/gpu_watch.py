"""Which warnings a GPU's own values call for: memory errors that rise, and slowing down for heat. Decisions only."""

from __future__ import annotations

from warpcore.bus.messages import Load
from warpcore.bus.vocabulary import Throttling

COOL_AGAIN_S = 60.0
"""A GPU that slows down for heat comes and goes by the second; the warning stays until it has not for this long."""


class GpuWatch:
    """Compares each load with the first one. `see` is called with every load, in order of time."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._first: Load | None = None
        self._hot_at: float | None = None

    def see(self, load: Load, now: float) -> dict[str, str]:
        """The warnings that hold now, by what they are about: one line each with what to do.

        `now` is in seconds of a monotonic clock.
        """
        if self._first is None and load.gpu_memory_mb is not None:
            self._first = load
        if Throttling.HEAT in (load.gpu_throttling or []):
            self._hot_at = now
        elif self._hot_at is not None and now - self._hot_at > COOL_AGAIN_S:
            self._hot_at = None
        first, told = self._first or load, {}
        uncorrected = _risen(first.gpu_ecc_uncorrected, load.gpu_ecc_uncorrected)
        corrected = _risen(first.gpu_ecc_corrected, load.gpu_ecc_corrected)
        if uncorrected:
            told["uncorrected"] = (
                f"GPU of {self._worker}: {_errors(uncorrected)} not corrected since the worker started: "
                "stop the worker, reset the GPU (nvidia-smi -r), and retry the movies of that time"
            )
        if corrected:
            told["corrected"] = (
                f"GPU of {self._worker}: {_errors(corrected)} corrected since the worker started: results are right, "
                "but have the card looked at if the number goes on rising"
            )
        if self._hot_at is not None:
            told["heat"] = f"GPU of {self._worker}: slower since it is too hot: look at its fans and the room's cooling"
        return told


def _risen(before: int | None, now: int | None) -> int:
    """By how much a count has risen; 0 where it is not known."""
    return max(0, now - before) if before is not None and now is not None else 0


def _errors(count: int) -> str:
    return f"{count} memory error{'s' if count != 1 else ''}"
