"""The scheduler as a part: the product's service over a database that survives it, and its looks at what it decides."""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.simulation.clock import Simulator
from tests.simulation.hosts import Host
from tests.simulation.network import Hub, Ports, Router
from tests.simulation.part import Part
from tests.simulation.placing import DiskFiles, StepwisePlacer
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.scheduler.core.audit import Asking
from warpcore.services.scheduler.core.effects import Effect
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import OutputsMissing, Stimulus
from warpcore.services.scheduler.shell.disk import Recorded, missing_outputs
from warpcore.services.scheduler.shell.service import Service
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.scheduler.store import schema
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.pending import Pending
from warpcore.services.session.settings import patch_settings

HEARTBEAT_TIMEOUT_S = 20.0
TASK_TIMEOUT_S = 60.0
METADATA_WAIT_S = 4.0

Watch = Callable[[State, Stimulus, list[Effect]], None]
"""Looks at each decision."""


class DiskStore(Store):
    """The store of a scheduler's process, over a database that outlives it. Its disk may be full or fail."""

    def __init__(self, path: Path, **where: str) -> None:
        assert isinstance(Part.running, Scheduler)
        self._part = Part.running
        self._files = self._part.host.mounts[StoragePlace.PROCESSING]
        super().__init__(path, **where)

    def commit(self, wall: float = 0.0) -> bool:
        """As ever; the process may die before it and after it."""
        self._part.step()
        written = super().commit(wall)
        self._part.step()
        return written

    def _open(self, data_directory: str, processing_directory: str) -> None:
        self._db = self._part.database
        if not self._db.execute("PRAGMA user_version").fetchone()[0]:
            schema.fill(self._db, data_directory, processing_directory)

    def _write(self, pending: Pending) -> None:
        if self._files.error or (self._files.room_bytes is not None and self._files.is_full_for_all):
            raise sqlite3.OperationalError("database or disk is full")
        super()._write(pending)


class WatchedSession(Session):
    """The session of a scheduler's process; `watch` sees each decision."""

    def __init__(self, host: Host, watch: Watch) -> None:
        self._watch = watch
        folders = host.path("/data"), host.path("/processing")
        super().__init__(
            *folders,  # type: ignore[arg-type]
            heartbeat_timeout_s=HEARTBEAT_TIMEOUT_S,
            task_timeout_s=TASK_TIMEOUT_S,
            settings=lambda present: patch_settings(present, {"import": {"metadata_wait": METADATA_WAIT_S}}),
        )

    def decide(self, stimulus: Stimulus, asked: Asking | None = None) -> list[Effect]:
        """Decide, and show it."""
        effects = super().decide(stimulus, asked)
        self._watch(self.state, stimulus, effects)
        return effects


class Scheduler(Part):
    """The scheduler's process. `watch` looks at each decision, `check` at the state after each round."""

    def __init__(
        self, simulator: Simulator, host: Host, ports: Ports, watch: Watch, check: Callable[[State], None]
    ) -> None:
        super().__init__(simulator, host, "scheduler")
        self._ports, self._watch, self._check = ports, watch, check
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        """It outlives the process."""

    @property
    def state(self) -> State:
        """What it knows."""
        return self.session.state

    def begin(self) -> None:
        """Read the state from the database, and open the ports."""
        self.session = WatchedSession(self.host, self._watch)
        workers = Router(self, self._ports.workers, "workers")
        control = Router(self, self._ports.control, "control")
        self._service = Service(self.session, workers, control, Hub(self, self._ports))  # type: ignore[arg-type]
        self._service.begin()
        self._check(self.state)

    def kill(self) -> None:
        """SIGKILL: its ports are closed."""
        super().kill()
        self._ports.close()

    def round(self) -> None:
        """One round of the service."""
        self._service.round()
        self._check(self.state)


class Nothing:
    """Stands for the deletion of tries and the watch over the database file, which are not simulated."""

    def __init__(self, *_: object) -> None:
        pass

    def faults(self, session: object) -> Iterator[Any]:
        """None."""
        return iter(())

    def close(self) -> None:
        """Nothing to end."""


class OutputCheck:
    """As `shell.disk.OutputCheck`: looks for all outputs once, beside the running service."""

    def __init__(self, recorded: list[Recorded], processing_directory: Any) -> None:
        part = Part.running
        assert part is not None
        self._found: queue.SimpleQueue[OutputsMissing] = queue.SimpleQueue()
        self._recorded, self._directory = recorded, processing_directory
        part.host.mounts[StoragePlace.PROCESSING].answer(part.bound(self._look))

    def found(self) -> Iterator[OutputsMissing]:
        """What was found since the last call."""
        while not self._found.empty():
            yield self._found.get()

    def close(self) -> None:
        """Nothing to end."""

    def _look(self) -> None:
        for recorded in self._recorded:
            try:
                missing = missing_outputs(recorded, self._directory)
            except OSError:
                return
            if missing is not None:
                self._found.put(missing)


def placer(directory: Any, leases: Any, last_lease: int) -> StepwisePlacer:
    """The scheduler's placer, step by step."""
    part = Part.running
    assert part is not None
    return StepwisePlacer(part, DiskFiles(part), leases, last_lease)
