"""A long night: movies arrive, processes are killed, nothing is lost and no process grows.

`WARPCORE_SOAK_MINUTES` says how long movies arrive (30 unless told otherwise).
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from movies_for_tests import write_movie

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

MINUTES = float(os.environ.get("WARPCORE_SOAK_MINUTES", "30"))
MOVIE_EVERY_S, KILL_EVERY_S = 3.0, 45.0
MOST_GROWTH_MB = 150
"""What a service may grow over the run; measured over 4 minutes and 81 movies: scheduler 24 MB, tracker 1 MB."""

KINDS = {
    "compute": ("warpcore.services.worker.compute",),
    "nanny": ("warpcore.cli.main", "worker"),
    **{name: ("warpcore.cli.main", name) for name in ("scheduler", "tracker", "discoverer")},
}


def test_movies_arrive_all_night_and_processes_die(
    up: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    data, processing = tmp_path / "data", tmp_path / "processing"
    data.mkdir()
    settings = (
        "--set",
        "picking.diameter=130",
        "--set",
        "import.pixel_size=2.2",
        "--set",
        "filter.resolution_max=null",
    )
    session = up(data, processing, "--workers", "2", *settings)
    rng, dice = np.random.default_rng(0), random.Random(0)
    memory: dict[str, list[float]] = {"scheduler": [], "tracker": []}
    written, end = 0, time.monotonic() + 60 * MINUTES
    next_movie, next_kill = time.monotonic(), time.monotonic() + KILL_EVERY_S

    def due() -> bool:
        return time.monotonic() >= min(next_movie, next_kill)

    while time.monotonic() < end:
        wait_until(due, KILL_EVERY_S, "the next event")
        if time.monotonic() >= next_movie:
            next_movie += MOVIE_EVERY_S
            write_movie(data / f"movie_{written:05d}.tif", rng.poisson(2, (6, 384, 384)).astype(np.uint8))
            written += 1
        if time.monotonic() >= next_kill:
            next_kill += KILL_EVERY_S
            pids = session.pids(*KINDS[dice.choice(sorted(KINDS))])
            for name, seen in memory.items():
                seen += [
                    psutil.Process(pid).memory_info().rss / 2**20 for pid in session.pids("warpcore.cli.main", name)
                ]
            if pids:
                os.kill(dice.choice(pids), signal.SIGKILL)

    wait_until(lambda: session.settled(written), 600, f"all {written} movies done")
    statuses = session.get("/api/items/summary")
    assert statuses["totalItems"] == written
    assert statuses["failedItems"] == 0, [item["failure"] for item in session.items().values() if item["failure"]]

    def listed() -> bool:
        rows = json.loads((processing / "processed_items.json").read_text())
        return len(rows) == written and all(row["ProcessingStatus"] in (1, 4) for row in rows)

    wait_until(listed, 30, "all movies in the list")
    for name, seen in memory.items():
        print(f"{name}: {min(seen):.0f} to {max(seen):.0f} MB over {written} movies")
        assert max(seen) - min(seen) < MOST_GROWTH_MB, f"{name} grew: {seen}"
    assert session.stop() == 0
