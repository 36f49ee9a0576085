"""Which form of a kernel runs: the CPU's, in tiles that stay in its cache, or the device's, in few large operations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import jax

T = TypeVar("T")
R = TypeVar("R")

_MOST_THREADS = 8
_forced = False


def on_cpu() -> bool:
    """Whether kernels run in the CPU's form."""
    return jax.default_backend() == "cpu" and not _forced


def at_once(size: int) -> int | None:
    """How many items of a loop a device takes at once, `size`; None on the CPU, which takes one after the other.

    It is made for `jax.lax.map(…, batch_size=at_once(size))` and must reach a compiled function as a static argument.
    """
    return None if on_cpu() else size


def side_by_side(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """`function` of each item, in threads beside a device; on the CPU, whose cores XLA has already, one by one."""
    if on_cpu():
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, items))


@contextmanager
def device_form() -> Iterator[None]:
    """The device's form on whatever backend there is, in all threads, so that it can be tested on a CPU."""
    global _forced
    before, _forced = _forced, True
    try:
        yield
    finally:
        _forced = before
