"""Memory on the host for decoded movies: new for each movie, or a few buffers that are used again and again."""

from __future__ import annotations

import contextlib
import mmap
import threading
import weakref
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from warpcore.services.process.memory import check_free_memory

_ALIGNMENT_BYTES = 64
_HUGE_PAGE_BYTES = 2 * 2**20
_RECENT = 16
_MOST_SPARE = 2
"""A buffer of more than this many times the largest of the last `_RECENT` movies is freed."""


class Buffer:
    """Bytes for one movie, from a multiple of 64 on; `is_zero` where nothing has been written into them yet.

    After `release` another movie may be decoded into them.
    """

    def __init__(
        self, data: npt.NDArray[np.uint8], *, is_zero: bool, give_back: Callable[[], None] | None = None
    ) -> None:
        self.data = data
        self.is_zero = is_zero
        self._give_back = give_back

    def release(self) -> None:
        """Let the bytes be used again; a second call does nothing. Only once every transfer from them is done."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


Allocator = Callable[[int], Buffer]
"""`allocate(nbytes)` gives a Buffer of so many bytes. Raises MemoryError."""

PageLock = Callable[[int, int], Callable[[], None] | None]
"""`lock(address, nbytes)` keeps bytes in physical memory, for direct transfers.

It returns what ends that, or None where the bytes stay ordinary memory.
"""


def new_buffer(nbytes: int) -> Buffer:
    """Memory of its own that is never used again, zeros. JAX on the CPU may compute on it without a copy.

    Raises MemoryError where the host does not have so much.
    """
    check_free_memory(nbytes)
    memory = np.zeros(nbytes + _ALIGNMENT_BYTES, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT_BYTES
    return Buffer(memory[first : first + nbytes], is_zero=True)


class BufferPool:
    """Buffers that are used again, by any number of threads; at most `kept` wait unused.

    A larger movie gets a larger buffer in place of those that wait; one far larger than all recent movies is freed.
    Not for the CPU's backend: arrays there may share the memory of a buffer that is used again.
    """

    def __init__(self, page_lock: PageLock | None = None, kept: int = 2) -> None:
        self._page_lock = page_lock
        self._kept = kept
        self._guard = threading.Lock()
        self._waiting: list[_Memory] = []
        self._recent: deque[int] = deque(maxlen=_RECENT)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the buffers that wait unused."""
        with self._guard:
            return sum(len(memory.data) for memory in self._waiting)

    def take(self, nbytes: int) -> Buffer:
        """The smallest waiting buffer that is large enough, else a new one. Raises MemoryError."""
        with self._guard:
            self._recent.append(nbytes)
            most = max(_HUGE_PAGE_BYTES, _MOST_SPARE * max(self._recent))
            waiting = sorted(self._waiting, key=lambda memory: len(memory.data))
            memory = next((one for one in waiting if nbytes <= len(one.data) <= most), None)
            dropped = waiting if memory is None else [one for one in waiting if len(one.data) > most]
            self._waiting = [one for one in waiting if one is not memory and one not in dropped]
        for one in dropped:
            one.free()
        is_zero = memory is None
        taken = memory or _Memory(nbytes, self._page_lock)
        return Buffer(taken.data[:nbytes], is_zero=is_zero, give_back=lambda: self._give_back(taken))

    def _give_back(self, memory: _Memory) -> None:
        with self._guard:
            by_size = sorted([*self._waiting, memory], key=lambda one: len(one.data), reverse=True)
            self._waiting, dropped = by_size[: self._kept], by_size[self._kept :]
        for one in dropped:
            one.free()


class _Memory:
    """Whole pages from the system, locked where `page_lock` can; they go back when no array uses them any more."""

    def __init__(self, nbytes: int, page_lock: PageLock | None) -> None:
        size = max(1, -(-nbytes // _HUGE_PAGE_BYTES)) * _HUGE_PAGE_BYTES
        check_free_memory(size)
        try:
            mapping = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(f"no {size} bytes for a movie: {error}") from None
        with contextlib.suppress(OSError):  # a kernel without huge pages
            mapping.madvise(mmap.MADV_HUGEPAGE)  # fewer pages to fault in and to lock
        self.data: npt.NDArray[np.uint8] = np.frombuffer(mapping, np.uint8)
        unlock = page_lock(self.data.ctypes.data, size) if page_lock is not None else None
        self._unlock = weakref.finalize(self, unlock or _nothing)
        self._unlock.atexit = False  # at the end of the process its driver does it

    def free(self) -> None:
        """Unlock the pages and let go of them."""
        self._unlock()


def _nothing() -> None:
    pass
