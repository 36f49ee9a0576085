"""Storage that goes away and disks that fill up under `warpcore up`: nothing fails, and all goes on by itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from movies_for_tests import write_movie

from tests.services.mounts import fill, mounted, needs_mounts

pytestmark = [pytest.mark.slow, needs_mounts]

AWAY_S, FULL_S = 10.0, 60.0
SETTINGS = ("--set", "picking.diameter=130", "--set", "import.pixel_size=2.2", "--set", "filter.resolution_max=null")


def write_movies(folder: Path, count: int) -> None:
    """The same few random pixels under many names."""
    first = folder / "m0000.tif"
    write_movie(first, np.random.default_rng(0).poisson(2, (6, 384, 384)).astype(np.uint8))
    for number in range(1, count):
        (folder / f"m{number:04d}.tif").write_bytes(first.read_bytes())


def holds(session: Any) -> list[str]:
    """Why the session holds now; nothing while nobody answers."""
    try:
        found: list[str] = session.get("/api/processing/status")["holds"]
    except httpx.HTTPError:
        return []
    return found


def counts(session: Any) -> dict[str, int]:
    """Movies by status; nothing while nobody answers."""
    try:
        found: dict[str, int] = session.get("/api/items/summary")["counts"]
    except httpx.HTTPError:
        return {}
    return found


def done(session: Any) -> int:
    """Movies with all results."""
    found = counts(session)
    return found.get("processed", 0) + found.get("filtered_out", 0)


def passes(seconds: float) -> Callable[[], bool]:
    """Whether so much time has passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def test_a_data_directory_away_for_seconds_with_many_movies_waiting_fails_none(
    up: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    with mounted(tmp_path / "storage", megabytes=2000) as storage:
        write_movies(storage.path, 2001)
        session = up(storage.path, tmp_path / "processing", "--workers", "2", *SETTINGS)
        wait_until(lambda: done(session) >= 4, 120, "the first results")
        storage.go()
        wait_until(lambda: holds(session), 15, "hold")
        assert f"data directory {storage.path} is away: it is empty" in holds(session)[0]
        wait_until(passes(AWAY_S), AWAY_S + 5, "the time away")
        at_rest = done(session)
        assert counts(session)["failed"] == 0
        storage.come()
        wait_until(lambda: done(session) >= at_rest + 10, 120, "more results")
        assert holds(session) == []
        assert counts(session)["failed"] == 0
        assert session.stop() == 0


def test_a_processing_directory_full_for_a_minute_fails_no_movie(
    up: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    data, movies = tmp_path / "data", 12
    data.mkdir()
    write_movies(data, movies)
    with mounted(tmp_path / "storage", megabytes=30) as storage:
        session = up(data, storage.path, "--workers", "2", *SETTINGS)
        wait_until(lambda: done(session) >= 2, 120, "the first results")
        fill(storage.path / "filler")
        wait_until(lambda: holds(session), 15, "hold")
        assert f"disk full on {storage.path}: " in holds(session)[0]
        wait_until(passes(FULL_S), FULL_S + 5, "the time without room")
        assert counts(session).get("failed", 0) == 0
        (storage.path / "filler").unlink()
        wait_until(lambda: session.settled(movies), 180, "all movies done")
        assert done(session) == movies
        assert [path for path in storage.path.rglob(".*.*") if ".warpcore" not in path.parts] == [], "no half file"
        assert session.stop() == 0


def test_a_worker_without_the_folders_costs_no_movie_anything(
    up: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """Two workers in file systems of their own: one has another processing directory, one another data directory."""
    data, processing, movies = tmp_path / "data", tmp_path / "processing", 6
    data.mkdir()
    write_movies(data, movies)
    session = up(data, processing, "--workers", "0", *SETTINGS)
    wait_until(lambda: session.get("/api/items/summary")["totalItems"] == movies, 30, "all movies")
    host = socket.gethostname()  # names of its workers begin so
    blind = {f"{host}/noproc": processing, f"{host}/nodata": data}
    processes = []

    def reasons() -> dict[str, str]:
        return {one["id"]: one["reason"] for one in session.get("/api/workers")["workers"]}

    def start(name: str, hidden: Path | None) -> None:
        worker = [sys.executable, "-m", "warpcore.cli.main", "worker", "--name", name, "--device", "cpu"]
        hide = f"mount -t tmpfs tmpfs {hidden} && " if hidden is not None else ""
        command = ["unshare", "--mount", "sh", "-c", f'{hide}exec "$@"', "sh", *worker, *session.ports[:2]]
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))

    try:
        for name, hidden in blind.items():
            start(name, hidden)
        for name, hidden in blind.items():
            wait_until(lambda name=name: "does not see" in reasons().get(name, ""), 60, f"what {name} does not see")
            assert f"mount {hidden} on " in reasons()[name]
        start(f"{host}/seeing", None)
        wait_until(lambda: session.settled(movies), 120, "all movies done")
        assert done(session) == movies
        workers = {one["id"]: one for one in session.get("/api/workers")["workers"]}
        assert {name: (workers[name]["done"], workers[name]["failed"]) for name in blind} == dict.fromkeys(
            blind, (0, 0)
        )
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
    assert session.stop() == 0
