"""Kernels compiled before the first movie of a compute process, for one like the last movie on this host."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpcore.services.worker.compiling import CompileCount
from warpcore.services.worker.failures import CancelledError, classify

if TYPE_CHECKING:
    from warpcore.services.worker.warm_up import LastMovie

log = logging.getLogger("warpcore.worker.compute")


class Warmth:
    """Remembers the last movie in the folder `cache`; None: nothing is compiled before there is a movie."""

    def __init__(self, cache: Path | None, compiled: CompileCount) -> None:
        self._cache = cache
        self._compiled = compiled
        self._last_movie: LastMovie | None = None

    def warm_up(self, movie_is_there: Callable[[], bool]) -> None:
        """Compile for a movie like the last one, until a movie is there. Nothing that goes wrong here matters."""
        if self._cache is None:
            return
        from warpcore.services.worker.warm_up import recalled, warm_up

        def until_a_movie_is_there(step: str, fraction: float, message: str = "") -> None:
            if movie_is_there():
                raise CancelledError

        self._last_movie = recalled(self._cache)
        if self._last_movie is None:
            return
        begun = time.monotonic()
        try:
            warm_up(self._last_movie, until_a_movie_is_there)
        except CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - the first movie will show whether anything is wrong
            log.info("no warm-up: %s", classify(error, "warm-up").message)
        log.info("warmed up in %.1f s; %s", time.monotonic() - begun, self._compiled.news() or "nothing was compiled")

    def remember(self, work: Any) -> None:
        """The movie of this work is the last one now."""
        from warpcore.services.worker.warm_up import last_movie, remember

        movie = last_movie(work)
        if self._cache is not None and movie is not None and movie != self._last_movie:
            self._last_movie = movie
            remember(movie, self._cache)
