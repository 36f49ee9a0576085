"""A session without files, a pool, and a batch system of one node on which the pool's workers only sleep."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from slurm_site import SlurmSite

from tests.services.scheduler_site import Site, ask, process, status
from warpcore.bus import messages as wire
from warpcore.bus.client import NoAnswerError, RequestClient
from warpcore.services.pool.service import LOGS, POOLS

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = ROOT / "tests" / "services" / "pool" / "sleeping_worker.py"
POOL = "gpu"
START_S = 60.0
HANGS_S = 400.0
NO_HOME = "/proc/no-home"
"""Nobody can write there: nothing of a pool may need a home, which `ProtectHome=read-only` of its unit forbids."""
WaitUntil = Callable[..., None]


def install_psij(folder: Path) -> str:
    """Put psij into a folder of its own, since it wants older versions of what the linters need; why not, or ""."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    done = subprocess.run([*pip, "psij-python", "pystache", "typeguard"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"psij-python cannot be installed: {done.stderr.strip()[-300:]}"


class Cluster(Protocol):
    """A batch system. Whatever calls its commands needs `environment`."""

    environment: dict[str, str]

    def jobs(self) -> dict[str, str]:
        """State of each job that has not ended, by its id."""
        ...

    def running(self) -> int | None:
        """How many jobs run; None where it does not answer."""
        ...

    def told(self) -> str:
        """The last lines of its logs."""
        ...

    def close(self) -> None:
        """End all jobs and itself."""
        ...


C = TypeVar("C", bound=Cluster)


class PoolWorld(Generic[C]):
    """What runs. `factor` is by how much the guards' times are shortened; `movie_s` is how long a movie takes.

    `executor` is what the pool's file calls the batch system; `packages` are folders of further Python packages.
    """

    def __init__(
        self,
        folder: Path,
        ports: list[int],
        cluster: C,
        executor: str,
        packages: list[Path],
        wait_until: WaitUntil,
        factor: float,
        movie_s: float,
    ) -> None:
        self.cluster = cluster
        self.site = Site(folder, ports)
        self.done = folder / "done.txt"
        self.client = RequestClient(self.site.endpoints.control, "test", timeout_s=30.0)
        self.file = folder / f"{POOL}.toml"
        self.movies = 0
        self._wait_until = wait_until
        self._folder, self._factor, self._executor = folder, factor, executor
        path = os.pathsep.join(map(str, [ROOT, *packages]))
        sleeps = {"SLEEPING_MOVIE_S": str(movie_s), "SLEEPING_DONE": str(self.done)}
        self.environment = {**cluster.environment, **sleeps, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
        self.environment["HOME"] = NO_HOME
        self._pool: subprocess.Popen[bytes] | None = None

    def configure(self, minimum: int = 0, maximum: int = 4, **further: Any) -> None:
        """Write the pool's file: small jobs of sleeping workers, looks twice a second."""
        values: dict[str, Any] = {
            **{"executor": self._executor, "minimum": minimum, "maximum": maximum, "scheduler": "127.0.0.1"},
            **{"gpus": 0, "cpus": 1, "memory_gb": 0.0, "wall_time_min": 30.0, "idle_min": 0.1, "look_s": 0.5},
            **{"program": [sys.executable, str(SLEEPER)], "arguments": ["--device", "cpu", "--processes", "1"]},
            **further,
        }
        self.file.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in values.items()))

    def start_pool(self) -> None:
        """Start the pool's process."""
        ports = (str(self.site.endpoints.controller_port), str(self.site.endpoints.control_port))
        command = [sys.executable, "-m", "tests.services.pool.fast_pool", str(1 / self._factor), str(self.file)]
        with (self._folder / "pool.log").open("ab") as log:
            self._pool = subprocess.Popen(
                [*command, str(self.site.processing), *ports], env=self.environment, stdout=log, stderr=log
            )

    def end_pool(self, number: int = signal.SIGTERM) -> None:
        """End the pool's process by a signal; its jobs go on."""
        assert self._pool is not None
        self._pool.send_signal(number)
        self._pool.wait(HANGS_S)

    def add_movies(self, count: int) -> None:
        """So many movies are found."""
        if not count:
            return
        names = [f"m{self.movies + number:05d}.tif" for number in range(count)]
        self.movies += count
        ask(self.client, wire.RegisterFiles([wire.FoundFile(name, 100, 5) for name in names]))

    def lose_answers(self, command: str, told: str, verb: str = "") -> None:
        """From now on `command` submits, and then says what it says where no answer came; `verb` is its first word."""
        folder = self._folder / "bin"
        folder.mkdir()
        others = f'[ "$1" = {verb} ] || exec "$real" "$@"\n' if verb else ""
        submits = f'"$real" "$@" >/dev/null\necho "{told}" >&2\nexit 1\n'
        (folder / command).write_text(f"#!/bin/sh\nreal={shutil.which(command)}\n{others}{submits}")
        (folder / command).chmod(0o755)
        self.environment["PATH"] = f"{folder}{os.pathsep}{self.environment['PATH']}"

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def pool(self) -> wire.Pool | None:
        """The pool as it has reported last."""
        pools = ask(self.client, wire.GetPools()).pools
        return pools[0] if pools else None

    def scheduler_answers(self) -> bool:
        """Whether the scheduler, which starts slowly on a busy host, is there."""
        try:
            return bool(status(self.client).data_directory)
        except NoAnswerError:
            return False

    @property
    def problems(self) -> str:
        """What the pool says is wrong, as one text."""
        return "" if (pool := self.pool) is None else "; ".join(pool.problems)

    @property
    def submitted(self) -> int:
        """How many jobs were handed to the batch system, whatever it said: there is a script for each."""
        by_psij = (self.site.processing / POOLS / POOL / "batch").glob("*.job")
        return len([*by_psij, *(self.site.processing / LOGS).glob("*.sh")])

    def running(self, before: int) -> int:
        """How many jobs the batch system runs; what it was before where it does not answer."""
        told = self.cluster.running()
        return before if told is None else told

    def workers(self) -> list[wire.Worker]:
        """The workers that are registered and live."""
        return [one for one in ask(self.client, wire.GetWorkers()).workers if one.state != "lost"]

    def left(self) -> int:
        """How many movies wait or run."""
        return status(self.client).left

    def times_done(self) -> Counter[str]:
        """How often each movie was finished by a worker."""
        lines = self.done.read_text().splitlines() if self.done.exists() else []
        return Counter(line.split()[0] for line in lines)

    def done_at(self) -> dict[str, float]:
        """When each movie was finished, in seconds since the epoch."""
        return {name: float(at) for name, at in (line.split() for line in self.done.read_text().splitlines())}

    def is_all_done_once(self) -> bool:
        """Whether the session is through, and no worker has done a movie that another one had done."""
        return self.left() == 0 and len(self.times_done()) == self.movies and set(self.times_done().values()) <= {1}

    def told(self) -> str:
        """The last lines of all logs, for a test that fails."""
        logs = [*self._folder.glob("*.log"), *(self.site.processing / LOGS).glob("*.log")]
        logs += (self.site.processing / POOLS / POOL / "batch").glob("*.out")
        lines = [f"{log.name}: {line}" for log in logs for line in log.read_text(errors="replace").splitlines()[-12:]]
        return "\n".join([*lines, self.cluster.told()])

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait for a condition; at the deadline the logs are shown."""
        self._wait_until(condition, seconds, lambda: f"{self.told()}\n{what}")

    def close(self) -> None:
        """End the pool, then the batch system."""
        self.client.close()
        if self._pool is not None and self._pool.poll() is None:
            self._pool.kill()
            self._pool.wait()
        self.cluster.close()


@contextmanager
def running(world: PoolWorld[C]) -> Iterator[PoolWorld[C]]:
    """All of it, ended at the end of the block."""
    try:
        with process(world.site):
            world.until(world.scheduler_answers, "an answer of the scheduler", START_S)
            yield world
    finally:
        world.close()


def slurm_world(
    folder: Path, ports: list[int], psij: Path, wait_until: WaitUntil, *, factor: float = 20.0, movie_s: float = 0.5
) -> AbstractContextManager[PoolWorld[SlurmSite]]:
    """All of it on a Slurm, ended at the end of the block."""
    slurm = SlurmSite(folder / "slurm", ports[4:])
    return running(PoolWorld(folder, ports[:4], slurm, "slurm", [psij], wait_until, factor, movie_s))


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_toml(one)}' for name, one in value.items())}}}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def check_that_three_jobs_are_taken_up(world: PoolWorld[C]) -> None:
    """A pool of three is killed as its jobs come and once they run: all movies are done once, by those three."""
    world.start_pool()
    world.add_movies(60)
    world.until(lambda: world.submitted >= 1, "the first job")
    world.end_pool(signal.SIGKILL)
    world.start_pool()
    world.until(lambda: len(world.workers()) == 3, "three workers")
    world.end_pool(signal.SIGKILL)
    world.start_pool()
    world.until(world.is_all_done_once, "all movies done once")
    assert world.submitted == 3
