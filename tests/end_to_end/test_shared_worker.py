"""One worker for two sessions: schedulers hang and die meanwhile, and results have the bytes of a session alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions

MOVIES = 5
SETTINGS = [
    *("--set", 'import.patterns=["*.tif"]', "--set", "import.dose_per_frame=1.0"),
    *("--set", "ctf.voltage=300", "--set", "ctf.cs=2.7", "--set", "picking.diameter=120"),
]


def images(folder: Path) -> dict[str, bytes]:
    """What movies were made into."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.mrc"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_scheduler_that_hangs_and_one_that_dies_cost_the_other_nothing_and_no_byte(
    tmp_path: Path,
    up: Callable[..., Any],
    wait_until: Callable[..., None],
    warpcore: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    options = SimulationOptions(frames=6, width=512, height=512)
    data = [tmp_path / name for name in ("krios1", "krios2")]
    for number, folder in enumerate(data):
        simulate_movies(folder, MOVIES, options=options, seed=number)
    sessions = [up(folder, tmp_path / f"{folder.name}_out", "--workers", "0", "--paused", *SETTINGS) for folder in data]
    served = [text for session in sessions for text in ("--session", str(session.processing))]
    with (tmp_path / "worker.log").open("wb") as log:
        command = [sys.executable, "-m", "warpcore.cli.main", "worker", *served, "--device", "cpu"]
        worker = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        for session in sessions:
            wait_until(lambda session=session: session.get("/api/workers")["workers"], 120, "the worker")
            session.http.post("/api/processing/start").raise_for_status()
        first, second = sessions

        def done(session: Any) -> int:
            return sum(status in ("processed", "filtered_out") for status in session.statuses().values())

        wait_until(lambda: done(first) and done(second), 240, "a movie of each")
        assert abs(done(first) - done(second)) <= 2, "in turn"
        (hanging,) = first.pids("--heartbeat-timeout", str(first.processing))
        psutil.Process(hanging).suspend()
        try:
            wait_until(lambda: second.settled(MOVIES), 240, "all of the other session")
        finally:
            psutil.Process(hanging).resume()
        wait_until(lambda: first.answers() and first.settled(MOVIES), 240, "all of the one that hung")
        second.http.patch("/api/settings", json={"picking": {"threshold": 0.4}}).raise_for_status()
        (dying,) = second.pids("--heartbeat-timeout", str(second.processing))
        psutil.Process(dying).send_signal(signal.SIGKILL)
        wait_until(lambda: second.answers() and second.settled(MOVIES), 240, "the one whose scheduler was killed")
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait(30)
    found = [images(session.processing) for session in sessions]
    for session in sessions:
        assert session.stop() == 0
    alone = tmp_path / "alone"
    movies = [str(path) for path in sorted(data[0].glob("*.tif"))]
    assert warpcore("process", *movies, "--processing", str(alone), *SETTINGS, timeout=600).returncode == 0
    assert len(found[0]) >= MOVIES
    assert found[0] == images(alone)
