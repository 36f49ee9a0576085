"""Who a worker is, and how it introduces itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from warpcore.bus.messages import RegisterWorker
from warpcore.services.worker.line import Ready


@dataclass(frozen=True, slots=True)
class Identity:
    """What the nanny tells of itself when it registers. `pool` is `POOL/JOB` where a pool has started it."""

    name: str
    instance: str
    host: str
    pid: int
    pool: str = ""

    def registration(self, device: Ready, processes: int, leases: Iterable[int], replaces: str) -> RegisterWorker:
        """The message of a worker that holds `leases` and has so many compute processes on this device.

        `replaces` is an earlier instance of its name that has ended, if any.
        """
        return RegisterWorker(
            name=self.name,
            instance=self.instance,
            host=self.host,
            pid=self.pid,
            device=device.device,
            device_memory_mb=device.device_memory_mb * processes,
            versions=device.versions,
            leases=sorted(leases),
            replaces=replaces,
            pool=self.pool,
        )
