"""The demo, and the same movies without services: what is found agrees with what was simulated."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.own_token import OwnToken

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]


def warpcore(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WARPCORE, *arguments], capture_output=True, text=True, timeout=280, check=False)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A demo while it runs; what it prints stands in the files `out` and `err` of the folder."""
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen([*WARPCORE, "demo", *arguments], stdout=out, stderr=err)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_stays_up_until_ctrl_c_and_ends_by_saying_how_to_open_its_page_again(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]
) -> None:
    (port,) = free_ports(1)
    page = f"http://127.0.0.1:{port}"
    own = OwnToken(tmp_path / "results")

    def said() -> str:
        return (tmp_path / "err").read_text()

    options = ("--movies", "1", "--workers", "1", "--folder", str(tmp_path), "--port", str(port))
    with running(tmp_path, *options, "--stay") as demo:
        wait_until(lambda: "1 of 1 movies done" in said() or demo.poll() is not None, 400, "the movie's end")
        # Once it says that the session is paused, it has looked again and would have ended without `--stay`.
        httpx.post(f"{page}/api/processing/pause", auth=own, timeout=60).raise_for_status()
        wait_until(lambda: "1 of 1 movies done, paused" in said() or demo.poll() is not None, 30, "the pause")
        assert httpx.get(f"{page}/api/health", auth=own, timeout=60).status_code == 200
        assert "ending" not in said()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0, said()
    heading, row, places, address = (tmp_path / "out").read_text().splitlines()
    assert heading.split()[0] == "movie"
    assert row.split()[:2] == ["movie_0001", "processed"]
    assert places == f"movies in {tmp_path / 'movies'}, results in {tmp_path / 'results'}"
    told, _, again = address.partition("; to open it again: ")
    assert told == f"the page was at {page}"
    where = ["--data", str(tmp_path / "movies"), "--processing", str(tmp_path / "results")]
    assert shlex.split(again) == ["warpcore", "up", *where]


@pytest.mark.slow
def test_the_demo_finds_what_it_simulated_and_process_writes_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = warpcore("demo", "--movies", "2", "--folder", str(folder), "--workers", "2")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("movie_")]
    assert [row[0] for row in rows] == ["movie_0001", "movie_0002"]
    for _, status, defocus, _, true_defocus, drift, _, true_drift, rmse, particles, _, true_particles in rows:
        assert status == "processed"
        # Measured on seed 0: defocus within 0.001 µm, drift RMSE 0.19 to 0.24 Å, 50 to 54 of 50 particles.
        assert abs(float(defocus) - float(true_defocus)) < 0.01
        assert abs(float(drift) - float(true_drift)) < 4
        assert float(rmse) < 0.5
        assert abs(int(particles) - int(true_particles)) <= 10
    places, address = done.stdout.splitlines()[-2:]
    assert str(folder / "results") in places
    assert address.startswith("the page was at http://127.0.0.1:")

    movie = folder / "movies" / "movie_0001.tif"
    truth = json.loads(movie.with_suffix(".truth.json").read_text())
    done = warpcore(
        *("process", str(movie), "--processing", str(tmp_path / "alone"), "--json"),
        *("--set", f"import.gain_path={folder / 'movies' / 'gain.mrc'}"),
        *("--set", f"import.dose_per_frame={truth['options']['dose_per_frame']}"),
        *("--set", f"picking.diameter={round(truth['diameter_angstrom'])}"),
    )
    assert done.returncode == 0, done.stderr
    (outcome,) = json.loads(done.stdout)
    assert outcome["status"] == "processed"
    assert outcome["results"]["ctf"]["defocus_um"] == pytest.approx(float(rows[0][2]), abs=1e-3)
    for output in ("average/movie_0001.mrc", "motion/movie_0001.json"):
        assert (tmp_path / "alone" / output).read_bytes() == (folder / "results" / output).read_bytes()
