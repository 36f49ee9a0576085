"""A Flux of one broker for tests, in a folder of its own, as a site's broker runs: without a first program."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.waiting import wait_until

START_S = 120.0
CORES = 16
"""More than the host has: jobs of tests wait most of their time. They must not be bound to cores."""
GPUS = 2
LONGEST_MIN = 60


def missing() -> str:
    """Why no Flux can be started here; empty where one can."""
    return "" if shutil.which("flux") else "not installed: flux (flux-core 0.88 or later, built from its sources)"


class FluxSite:
    """A running Flux. Give `environment` to whatever calls its commands."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        # A socket's path must be short.
        self._run_folder = Path(tempfile.mkdtemp(prefix="flux-"))
        self._uri = f"local://{self._run_folder}/local"
        self.environment = {**os.environ, "FLUX_URI": self._uri}
        self._broker: subprocess.Popen[bytes] | None = None
        self._left: list[psutil.Process] = []
        (folder / "flux.toml").write_text(_configuration())
        self.start()

    # --- its broker ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the broker, and wait until jobs can be asked for."""
        settings = {"rundir": self._run_folder, "statedir": self._folder, "local-uri": self._uri}
        settings |= {"broker.rc2_none": "1", "log-stderr-level": "6"}
        command = ["flux", "broker", f"--config-path={self._folder}/flux.toml"]
        command += [f"--setattr={name}={value}" for name, value in settings.items()]
        with (self._folder / "broker.log").open("ab") as log:
            self._broker = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self._wait(lambda: self.ask("resource", "list", "-no", "{ncores}", "--states=free"), "a node")

    def kill(self) -> None:
        """kill -9 of the broker; its jobs go on."""
        assert self._broker is not None
        self._left += psutil.Process(self._broker.pid).children(recursive=True)
        self._broker.kill()
        self._broker.wait()

    def close(self) -> None:
        """Cancel all jobs, end the broker, and whatever of the jobs of a killed one is left."""
        assert self._broker is not None
        if self._broker.poll() is None:
            self._wait(self._cancel_all, "an end of all jobs")
            self._broker.send_signal(signal.SIGTERM)
        try:
            self._broker.wait(START_S)
        except subprocess.TimeoutExpired:
            self._broker.kill()
            self._broker.wait()
        for process in self._left:
            if process.is_running():
                process.kill()
        shutil.rmtree(self._run_folder, ignore_errors=True)

    def _cancel_all(self) -> bool:
        """Whether no job is left; one may still come from a pool that was killed while it submitted it."""
        self.run("cancel", "--all", "--quiet")
        return not self.jobs()

    # --- its commands -------------------------------------------------------------------------------------------------

    def run(self, *command: str) -> str:
        """Run a command of Flux; what it prints."""
        done = self._finished(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.told()}"
        return done.stdout

    def ask(self, *command: str) -> str | None:
        """What a command of Flux prints; None where it fails."""
        done = self._finished(*command)
        return done.stdout if done.returncode == 0 else None

    def jobs(self, *states: str) -> dict[str, str]:
        """State of each job that has not ended, by its id."""
        lines = self.run("jobs", "--no-header", "--format={id.f58plain} {state}", *states).splitlines()
        return {line.split()[0]: line.split()[1] for line in lines}

    def running(self) -> int | None:
        """How many jobs run; None where the broker does not answer."""
        told = self.ask("jobs", "--no-header", "--filter=run", "--format={id.f58plain}")
        return None if told is None else len(told.split())

    def told(self) -> str:
        """The last lines of the broker's log."""
        return "\n".join((self._folder / "broker.log").read_text(errors="replace").splitlines()[-30:])

    def _finished(self, *command: str) -> subprocess.CompletedProcess[str]:
        whole = ["flux", *command]
        return subprocess.run(whole, env=self.environment, capture_output=True, text=True, timeout=START_S, check=False)

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, START_S, lambda: f"{self.told()}\n{what}")


def _configuration() -> str:
    return f"""
[resource]
verify = false
[[resource.config]]
hosts = "{socket.gethostname()}"
cores = "0-{CORES - 1}"
gpus = "0-{GPUS - 1}"
[policy.limits]
duration = "{LONGEST_MIN}m"
"""
