"""Workers submitted by hand, by the batch script and the commands of docs/deploy.md, on a real Slurm of one node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from movies_for_tests import film_movie, write_movie
from slurm_site import SlurmSite, missing

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "slurm" / "warpcore-worker.sbatch"
MOVIES = 4
NO_GPU = ("--gpus=0", "--cpus-per-task=1", "--mem=0", "--time=10")
"""Options of sbatch for a node like this one, which come before those in the script."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture
def slurm(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[SlurmSite]:
    site = SlurmSite(tmp_path / "slurm", free_ports(2))
    # As in a shell with an activated environment.
    site.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{site.environment['PATH']}"
    try:
        yield site
    finally:
        site.close()


@pytest.mark.timeout(600)
def test_workers_submitted_by_hand_do_all_movies_and_a_cancelled_one_gives_its_own_back(
    up: Callable[..., Any],
    warpcore: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    slurm: SlurmSite,
    wait_until: Callable[..., None],
) -> None:
    data, processing, jobs = tmp_path / "data", tmp_path / "processing", tmp_path / "jobs"
    data.mkdir()
    jobs.mkdir()
    for number in range(MOVIES):
        write_movie(data / f"m{number}.tif", film_movie(384, 2.2, defocus_um=1.5, seed=number))
    session = up(
        data, processing, "--workers", "0", "--set", "import.pixel_size=2.2", "--set", "import.dose_per_frame=3"
    )
    key = jobs / "cluster.toml"
    shutil.copy(warpcore("keys", "add", "cluster", "--role", "worker", "--processing", processing).stdout.strip(), key)
    port = session.ports[session.ports.index("--controller-port") + 1]
    worker = ("--scheduler", "127.0.0.1", "--controller-port", port, "--key", str(key), "--device", "cpu")

    def submit(*options: str) -> str:
        """Submit as the document does; the number of the job."""
        told = slurm.run("sbatch", f"--chdir={jobs}", *NO_GPU, *options, str(SCRIPT), *worker)
        return told.split()[-1]

    def states() -> list[str]:
        return sorted(one["state"] for one in session.get("/api/workers")["workers"] if one["state"] != "lost")

    first = submit()
    wait_until(lambda: states() == ["busy"], 120, "a worker with a movie")
    assert session.get("/api/workers")["workers"][0]["id"].endswith(f"/slurm-{first}.0")
    slurm.run("scancel", first)
    wait_until(lambda: "processing" not in session.statuses().values(), 60, "its movie given back")
    submit("--array=1-2")
    wait_until(lambda: session.settled(MOVIES), 240, "all movies done")
    assert set(session.statuses().values()) <= {"processed", "filtered_out"}
    logs = sorted(log.name for log in jobs.glob("*.log"))
    assert f"warpcore-worker-{first}.log" in logs
    assert len(logs) == 3
    slurm.run("scancel", "--user", "root")
    wait_until(lambda: not slurm.jobs(), 60, "the end of all jobs")
