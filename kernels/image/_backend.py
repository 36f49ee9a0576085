"""Which form of a kernel runs: the CPU's, in tiles that stay in its cache, or the device's, in few large operations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

T = TypeVar("T")
R = TypeVar("R")

_MOST_THREADS = 8
_PAGE_LOCKED = "pinned_host"
_forced = False


def is_cpu() -> bool:
    """Whether arrays lie in the host's memory, in whatever form kernels run."""
    return jax.default_backend() == "cpu"


def on_cpu() -> bool:
    """Whether kernels run in the CPU's form."""
    return is_cpu() and not _forced


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


def sent_back(array: Any, *, float16: bool = False) -> Any:
    """The array on its way to page-locked memory of the host, where `np.asarray` finds it without another copy.

    `float16` sends half the bytes, of an array that will be written so. On the CPU, where a backend has no such memory,
    and for an array of the host it is the array itself.
    """
    if is_cpu() or not isinstance(array, jax.Array):
        return array
    if float16:
        array = rounded_to_float16(array)
    device = array.devices().pop()
    if not any(memory.kind == _PAGE_LOCKED for memory in device.addressable_memories()):
        array.copy_to_host_async()
        return array
    return jax.device_put(array, jax.sharding.SingleDeviceSharding(device, memory_kind=_PAGE_LOCKED))


@jax.jit
def rounded_to_float16(array: jax.Array) -> jax.Array:
    """The array as float16, values beyond its range cut to it; NaN and infinite ones stay what they are."""
    largest = float(np.finfo(np.float16).max)
    return jnp.where(jnp.isfinite(array), jnp.clip(array, -largest, largest), array).astype(jnp.float16)


def on_host(array: jax.Array) -> np.ndarray:
    """An array of the device as one of the host. From a GPU it comes ten times as fast as by `np.asarray` alone."""
    return np.asarray(sent_back(array))


@contextmanager
def device_form() -> Iterator[None]:
    """The device's form on whatever backend there is, in all threads, so that it can be tested on a CPU."""
    global _forced
    before, _forced = _forced, True
    try:
        yield
    finally:
        _forced = before
