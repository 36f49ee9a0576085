"""What a job of the pool is: the command line of its worker, its key, its log."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from warpcore.bus.keys import Holder
from warpcore.bus.vocabulary import Role
from warpcore.services.access import keys
from warpcore.services.access.places import Access
from warpcore.services.access.sessions import LOOPBACK
from warpcore.services.pool.batch import Request
from warpcore.services.pool.configuration import Configuration, ConfigurationError, Executor

START_SHARE, LONGEST_START_MIN = 0.05, 1.0
"""Of a job's time: what its environment script may take before the worker's own clock begins, in minutes at most."""
TAIL_BYTES, TAIL_LINES, LONGEST_LINE = 8192, 12, 300
BATCH_FOLDER = "batch"
"""Files of the batch system, in the pool's folder."""


@dataclass(frozen=True, slots=True)
class WorkerJobs:
    """The jobs of the pool `name`, whose files lie in `folder` and whose workers' logs in `logs`.

    Their workers connect to `controller_port` of the scheduler at `host`. With `access` each has a key of its own.
    """

    name: str
    configuration: Configuration
    folder: Path
    logs: Path
    host: str
    controller_port: int
    access: Access | None

    def __post_init__(self) -> None:
        given = self.configuration.scheduler
        if given is None and self.host in LOOPBACK and self.configuration.executor is not Executor.LOCAL:
            raise ConfigurationError(
                f"jobs on other hosts cannot reach the scheduler at {self.host}: set `scheduler` in the pool's file to "
                "this host's name (and start the session with --bind)"
            )

    def full_name(self, job: str) -> str:
        """The name of a job's worker and key."""
        return f"{self.name}-{job}"

    def batch_name(self, job: str) -> str:
        """The name of a job in the batch system."""
        return f"warpcore-{self.full_name(job)}"

    def request(self, job: str, *, kept: bool) -> Request:
        """The job for the batch system; a worker that is not `kept` ends after long idleness."""
        site = self.configuration
        program = site.program or [sys.executable, "-m", "warpcore.cli.main"]
        name, port = self.full_name(job), str(self.controller_port)
        command = [*program, "worker", "--scheduler", site.scheduler or self.host, "--controller-port", port]
        command += ["--name", name, "--pool", f"{self.name}/{job}"]
        spare_min = min(LONGEST_START_MIN, START_SHARE * site.wall_time_min)
        command += ["--wall-time", f"{site.wall_time_min - spare_min:g}"]
        if not kept:
            command += ["--idle-end", f"{site.idle_min:g}"]
        if self.access is not None:
            command += ["--key", str(self._key(job))]
        return Request(self.batch_name(job), [*command, *site.arguments], self.logs / f"{name}.log")

    def make_key(self, job: str) -> None:
        """Make the key of a job, which may connect at once. Raises AccessError, OSError."""
        if self.access is not None:
            keys.own(self.access, Holder(self.full_name(job), Role.WORKER))

    def revoke_others(self, jobs: Collection[str], prefix: str) -> None:
        """Take the rights of all keys of this pool whose jobs are none of these. Raises AccessError, OSError.

        `prefix` begins the ids of this pool's jobs.
        """
        if self.access is None:
            return
        own = self.full_name(prefix)
        stay = {self.full_name(job) for job in jobs}
        for key in keys.known_keys(self.access):
            if key.name.startswith(own) and key.name not in stay:
                keys.revoke(self.access, key.name)

    def tail(self, job: str, native_id: str | None) -> list[str]:
        """The last lines of a job's log, or, where its worker wrote none, of what its script printed."""
        for path in (self.logs / f"{self.full_name(job)}.log", self.folder / BATCH_FOLDER / f"{native_id}.out"):
            if lines := last_lines(path):
                return lines
        return []

    def _key(self, job: str) -> Path:
        assert self.access is not None
        return self.access.keys / f"{self.full_name(job)}.toml"


def last_lines(path: Path) -> list[str]:
    """The last lines of a log that are not empty; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = [line.rstrip()[:LONGEST_LINE] for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("_PSI_J_")][-TAIL_LINES:]
