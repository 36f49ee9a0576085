"""How many kernels were compiled and how many came from the persistent cache, counted from JAX's own events."""

from __future__ import annotations

import threading
from typing import NamedTuple

TELL_FROM_S = 1.0
"""After the first movie, compiling that took less is not told: it delays nobody."""

_COMPILE = "/jax/core/compile/backend_compile_duration"
"""Each kernel that was not in this process yet, also one that is then found in the persistent cache."""
_CACHE = "/jax/compilation_cache/cache_retrieval_time_sec"
"""Each kernel that was found there. Both events have these names in all of JAX 0.6 to 0.11."""


class Compiled(NamedTuple):
    """Kernels compiled and seconds spent on it, kernels taken from the cache and seconds spent on that."""

    kernels: int = 0
    seconds: float = 0.0
    cached: int = 0
    cached_seconds: float = 0.0

    def plus(self, other: Compiled) -> Compiled:
        """Both together."""
        return Compiled(
            self.kernels + other.kernels,
            self.seconds + other.seconds,
            self.cached + other.cached,
            self.cached_seconds + other.cached_seconds,
        )

    def told(self) -> str:
        """`compiled 41 kernels in 38.2 s, 12 from the cache in 0.4 s`."""
        kernels = f"{self.kernels} kernel{'' if self.kernels == 1 else 's'}"
        return (
            f"compiled {kernels} in {self.seconds:.1f} s, {self.cached} from the cache in {self.cached_seconds:.1f} s"
        )


class CompileCount:
    """Sums what JAX compiles in this process, in whichever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sum = Compiled()
        self._told = False

    def listen(self) -> None:
        """Hear JAX's events from now on."""
        from jax import monitoring

        monitoring.register_event_duration_secs_listener(self.hear)

    def hear(self, event: str, duration_secs: float, **details: str | int) -> None:
        """An event of JAX, and how long it took. Time in the cache is part of that for compiling."""
        if event == _COMPILE:
            heard = Compiled(kernels=1, seconds=duration_secs)
        elif event == _CACHE:
            heard = Compiled(kernels=-1, seconds=-duration_secs, cached=1, cached_seconds=duration_secs)
        else:
            return
        with self._lock:
            self._sum = self._sum.plus(heard)

    def news(self) -> str | None:
        """What was compiled since this was asked last, where it is worth a line: at the first time, and if long."""
        with self._lock:
            since, self._sum = self._sum, Compiled()
        first, self._told = not self._told, True
        return since.told() if first or since.seconds > TELL_FROM_S else None
