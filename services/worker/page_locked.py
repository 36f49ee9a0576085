"""Memory of the host that a GPU reads by itself: buffers whose pages its driver keeps in place.

XLA copies an ordinary array into locked memory of its own before the transfer (below 1 GiB), or lets the driver do so
piece by piece. Memory that is known to its client by `dma_map` goes to the device straight. That call registers the
memory with the driver (`cuMemHostRegister`, `hipHostRegister`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from warpcore.services.readers.buffers import Allocator, BufferPool, PageLock, new_buffer

log = logging.getLogger(__name__)


def movie_memory(device: Any) -> Allocator:
    """Whose memory movies for this JAX device are decoded into.

    On the CPU each movie has its own, since arrays there may share it; else a pool of page-locked buffers.
    """
    return new_buffer if device.platform == "cpu" else BufferPool(page_lock_for(device)).take


def page_lock_for(device: Any) -> PageLock:
    """What locks memory for transfers to this device. Where that fails, the memory stays ordinary; the log says why."""
    client = device.client

    def lock(address: int, nbytes: int) -> Callable[[], None] | None:
        try:
            client.dma_map(address, nbytes)
        except (AttributeError, RuntimeError) as error:  # an older JAX; no support, or a limit of the system
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("%d MB for movies are not page-locked, transfers will be slower: %s", nbytes // 2**20, reason)
            return None
        return lambda: _unlock(client, address)

    return lock


def _unlock(client: Any, address: int) -> None:
    try:
        client.dma_unmap(address)
    except RuntimeError as error:
        log.warning("memory for movies stays page-locked: %s", error)
