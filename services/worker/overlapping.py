"""Items on their way through three stages that overlap: while one is computed, others are loaded and written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class _EndedError(Exception):
    """Nobody waits for what was to be loaded any more."""


def overlapped(
    items: Iterable[A], load: Callable[[A], B], compute: Callable[[B], C], write: Callable[[C], D], at_once: int
) -> Iterator[D]:
    """What `write` returns for each item, in their order; at most `at_once` items are between load and write.

    `compute` runs in the caller's thread, the others in a thread each. What a stage raises is raised here and ends all;
    what is being written is then written to its end, and nothing more is begun.
    """
    room, ended = threading.Semaphore(at_once), threading.Event()

    def load_when_there_is_room(item: A) -> B:
        room.acquire()
        if ended.is_set():
            raise _EndedError
        return load(item)

    def write_and_make_room(computed: C) -> D:
        try:
            return write(computed)
        finally:
            room.release()

    writing: deque[Future[D]] = deque()
    with ThreadPoolExecutor(1, "load") as loader, ThreadPoolExecutor(1, "write") as writer:
        try:
            loading = deque(loader.submit(load_when_there_is_room, item) for item in items)
            while loading:
                # Nothing here holds on to an item while the next one is waited for.
                writing.append(writer.submit(write_and_make_room, compute(loading.popleft().result())))
                while writing and writing[0].done():
                    yield writing.popleft().result()
            while writing:
                yield writing.popleft().result()
        finally:
            ended.set()
            # First what has not begun: the thread that waits for room would take the next one, and wait for ever.
            loader.shutdown(wait=False, cancel_futures=True)
            room.release()
