"""Rendered parts, kept in memory: the least recently used go first; equal requests share one rendering."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import falcon

from warpcore.services.api.errors import Problem

AT_ONCE = 2
"""Renderings in threads of their own: numpy and Pillow let the event loop go on meanwhile."""
MOST_WAITING = 500
MOST_BYTES = 128 << 20
_LARGEST_SHARE = 8
_RETRY_S = 1


class Kept:
    """Bytes by key, at most `most_bytes` in all; one entry takes an eighth of that at most."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        self.total_bytes = 0

    def get(self, key: str) -> bytes | None:
        """What is kept under a key."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Keep it, and drop what was used least recently where there is too much."""
        if len(value) > self._most_bytes // _LARGEST_SHARE:
            return
        self.total_bytes += len(value) - len(self._entries.pop(key, b""))
        self._entries[key] = value
        while self.total_bytes > self._most_bytes:
            self.total_bytes -= len(self._entries.popitem(last=False)[1])


class Renderings:
    """Renders in threads, a few at a time. For one event loop."""

    def __init__(self, at_once: int = AT_ONCE, most_bytes: int = MOST_BYTES, most_waiting: int = MOST_WAITING) -> None:
        self._threads = ThreadPoolExecutor(at_once, "render")
        self._most_waiting = most_waiting
        self._kept = Kept(most_bytes)
        self._running: dict[str, asyncio.Task[bytes]] = {}

    async def get(self, key: str, render: Callable[[], bytes]) -> bytes:
        """What `render` returned for this key, now or before. Raises what it raises, and Problem 503 under a crowd."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= self._most_waiting:
                headers = {"Retry-After": str(_RETRY_S)}
                raise Problem(falcon.HTTP_503, "too many pictures are asked for at once; ask again", headers=headers)
            task = self._running[key] = asyncio.create_task(self._render(key, render))
        # A client that goes away must not take the picture from others who wait for it.
        return await asyncio.shield(task)

    async def _render(self, key: str, render: Callable[[], bytes]) -> bytes:
        try:
            made = await asyncio.get_running_loop().run_in_executor(self._threads, render)
            self._kept.put(key, made)
            return made
        finally:
            del self._running[key]
