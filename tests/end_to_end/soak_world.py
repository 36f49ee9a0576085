"""What the soak plays with: a session, a worker as on another host, storage, and movies that keep coming."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from conftest import WARPCORE, Up
from soak_movies import Microscope, listed, number_of
from soak_proxy import Proxy

from tests.services.mounts import Mount
from warpcore.services.tracker.documents import FILTERED_OUT, PROCESSED

APART = "apart/1"
"""The name of the worker that the proxy stands before."""
ENDED = ("processed", "filtered_out", "failed")
SERVICES = ("scheduler", "tracker", "discoverer", "api")
RECOVERY_S = 240.0


class World:
    """A running session and all that can be done to it. `data`, `processing`: their mounts, None where none can be."""

    def __init__(
        self, session: Up, microscope: Microscope, proxy: Proxy, data: Mount | None, processing: Mount | None, seed: int
    ) -> None:
        self.session, self.microscope, self.proxy = session, microscope, proxy
        self.data, self.processing = data, processing
        self.dice = random.Random(seed)
        self.memory_mb: dict[str, list[float]] = {}
        """Resident memory by kind of process, after each recovery."""
        self._apart: subprocess.Popen[bytes] | None = None
        self.apart_log = session.log.with_name("apart.log")
        """What the worker apart has logged."""
        self._log = self.apart_log.open("ab")
        self._key = _copied_key(session)
        self.tend()

    # --- time -------------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Start the worker apart again where it has ended, as its host would."""
        if self._apart is None or self._apart.poll() is not None:
            ports = ("--controller-port", str(self.proxy.port))
            command = [*WARPCORE, "worker", "--device", "cpu", "--name", APART, "--key", str(self._key), *ports]
            self._apart = subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)
        assert self.session.process.poll() is None, f"warpcore up ended:\n{self.session.tail()}"

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Until the condition holds; after so many seconds the test fails."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.tend()
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not within {seconds:g} s\n{self.told()}")
            time.sleep(0.05)

    def last(self, seconds: float) -> None:
        """Let so much time pass."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end, seconds + 5, "the time of the fault")

    # --- what it says -----------------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """The JSON of a REST resource; None while it does not answer."""
        try:
            return self.session.get(path)
        except httpx.HTTPError:
            return None

    def workers(self) -> dict[str, dict[str, Any]]:
        """The registry by name, without those that are lost."""
        found = (self.get("/api/workers") or {"workers": []})["workers"]
        return {worker["id"]: worker for worker in found if worker["state"] != "lost"}

    def holds(self) -> list[str]:
        """Why the session holds."""
        return list((self.get("/api/processing/status") or {"holds": []})["holds"])

    def have_ended(self, movies: Iterable[str]) -> bool:
        """Whether these movies have final states."""
        return all((self.get(f"/api/items/{movie}") or {"status": ""})["status"] in ENDED for movie in movies)

    def told(self) -> str:
        """All that helps to understand why something does not come true."""
        return f"{self.get('/api/processing/status')}\n{self.get('/api/workers')}\n{self.session.tail(30)}"

    # --- processes --------------------------------------------------------------------------------------------------

    def pids(self, kind: str, *, apart: bool | None = None) -> list[int]:
        """Processes of a kind: a service, `nanny` or `compute`; of the worker apart, of `up`, or (None) of both."""
        roots = {False: [self.session.process], True: [self._apart], None: [self.session.process, self._apart]}[apart]
        found = []
        for root in roots:
            assert root is not None
            with contextlib.suppress(psutil.Error):
                top = psutil.Process(root.pid)
                found += [one.pid for one in [top, *top.children(recursive=True)] if kind_of(one) == kind]
        return found

    def measure(self) -> None:
        """Note the memory of all processes."""
        for kind in (*SERVICES, "nanny", "compute"):
            for pid in self.pids(kind):
                with contextlib.suppress(psutil.Error):
                    self.memory_mb.setdefault(kind, []).append(psutil.Process(pid).memory_info().rss / 2**20)

    # --- recovery ---------------------------------------------------------------------------------------------------

    def leased(self) -> list[str]:
        """Movies that workers hold."""
        return [movie for worker in self.workers().values() for movie in worker["movies"]]

    def recover(self, held: Iterable[str]) -> float:
        """Wait until all goes on: every part has done its own for a movie that comes now, and `held` have ended.

        Returns the seconds that it took.
        """
        begun, known = time.monotonic(), self.microscope.written
        folder = self.session.processing

        def fresh_is_listed() -> bool:
            fresh = [movie for movie in self.microscope.whole if number_of(movie) >= known]
            row = listed(folder).get(fresh[0]) if fresh else None
            return row is not None and row["ProcessingStatus"] in (PROCESSED, FILTERED_OUT)

        self.wait(fresh_is_listed, RECOVERY_S, "a movie that comes after the fault in the lists")
        self.wait(lambda: self.have_ended(held), RECOVERY_S, f"an end of {held}, which were in work at the fault")
        self.wait(lambda: len(self.workers()) >= 2, RECOVERY_S, "both workers")
        self.wait(lambda: not self.holds(), RECOVERY_S, "an end of what the session holds for")
        took = time.monotonic() - begun
        self.measure()
        return took

    def close(self) -> None:
        """End the worker apart, and let everything go on that stands still."""
        self.proxy.heal()
        assert self._apart is not None
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self._apart.pid).children(recursive=True):
                child.kill()
            self._apart.kill()
        self._apart.wait()
        self._log.close()


def _copied_key(session: Up) -> Path:
    """A key for the worker apart, where no fault of storage reaches it."""
    adding = [*WARPCORE, "keys", "add", APART.partition("/")[0], "--role", "worker"]
    adding += ["--processing", str(session.processing)]
    made = subprocess.run(adding, check=True, capture_output=True, text=True).stdout
    return Path(shutil.copy(made.strip(), session.log.with_name("apart.toml")))


def kind_of(process: psutil.Process) -> str:
    """What a process of warpcore is: a service's name, `nanny` or `compute`; "" for others, and where it has ended."""
    try:
        line = process.cmdline()[2:4]
    except psutil.Error:
        return ""
    if line[:1] == ["warpcore.services.worker.compute"]:
        return "compute"
    if line[:1] != ["warpcore.cli.main"] or len(line) < 2:
        return ""
    return "nanny" if line[1] == "worker" else line[1]


@contextmanager
def stopped(pids: Iterable[int]) -> Iterator[None]:
    """Processes stand still within, by SIGSTOP."""
    pids = list(pids)
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def mount_at(folder: Path, megabytes: int) -> tuple[Mount | None, Path, str]:
    """A mount in a new folder, the folder to use, and why there is no mount, "" where there is one."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        (folder / "mount").mkdir()
        return None, folder / "mount", "mounting needs root"
    try:
        mount = Mount(folder, megabytes)
    except pytest.skip.Exception as why:
        return None, folder / "mount", str(why)
    return mount, mount.path, ""
