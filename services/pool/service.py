"""The pool as a service: its folder, its batch system, its scheduler, and that no other process runs it."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.keys import ClientKey
from warpcore.services.access.places import Access
from warpcore.services.pool.batch import Batch, CommandsBatch
from warpcore.services.pool.configuration import Configuration, ConfigurationError, Executor, read_configuration
from warpcore.services.pool.flux_batch import FluxBatch
from warpcore.services.pool.jobs import USUAL, Guards
from warpcore.services.pool.psij_batch import psij_batch
from warpcore.services.pool.shell import Shell
from warpcore.services.pool.site import Site
from warpcore.services.pool.worker_jobs import BATCH_FOLDER, WorkerJobs
from warpcore.services.session.paths import close_to_readers

POOLS = Path(".warpcore") / "pool"
LOGS = Path("logs") / "pool"


@dataclass(frozen=True, slots=True)
class PoolPlace:
    """Where a pool belongs: its name, its file, the processing directory, and the access directory of its session."""

    name: str
    file: Path
    processing: Path
    access: Access | None = None


def run_pool(
    endpoints: Endpoints,
    place: PoolPlace,
    *,
    key: ClientKey | None = None,
    guards: Guards = USUAL,
    end_jobs: bool = False,
    stop: threading.Event,
) -> None:
    """Keep workers on the batch system that the pool's file names, until `stop` is set. It connects under `key`.

    Jobs go on then, and are taken up when the pool is started again; with `end_jobs` they are cancelled. Raises
    ConfigurationError where the file cannot be used or another process runs this pool, and StoreError.
    """
    configuration = read_configuration(place.file)
    folder = place.processing.absolute() / POOLS / place.name
    logs = place.processing.absolute() / LOGS
    for one in (folder / BATCH_FOLDER, logs):
        one.mkdir(parents=True, exist_ok=True)
    access = place.access if key is not None else None
    where = (endpoints.host, endpoints.controller_port)
    jobs = WorkerJobs(place.name, configuration, folder, logs, *where, access)
    with _alone(folder):
        batch = batch_of(configuration, folder / BATCH_FOLDER)
        shell = Shell(Site(endpoints.control, place.name, key), batch, jobs, guards)
        try:
            shell.run(stop)
            shell.end(end_jobs=end_jobs)
        finally:
            shell.close()


def batch_of(configuration: Configuration, folder: Path) -> Batch:
    """The batch system that a file names; `folder` is for its files. Raises ConfigurationError."""
    if configuration.commands is not None:
        return CommandsBatch(configuration.commands, configuration.environment, configuration.command_s)
    if configuration.executor is Executor.FLUX:
        return FluxBatch(configuration, folder)
    return psij_batch(configuration, folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within, no other process of any host runs this pool. Raises ConfigurationError."""
    with (folder / "lock").open("w") as file:
        close_to_readers(folder / "lock")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(f"{folder} is in use by another process of this pool; end that one") from None
        yield
