"""What the API costs with 100 000 movies, and how soon 200 readers hear of an event: `make bench` prints the tables."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from tests.benchmarks.large_session import large_session
from tests.services.api.event_reader import EventReader
from tests.services.api.rest_session import Api, WireWorker
from tests.services.api.series_reader import Series
from warpcore.bus import messages as m
from warpcore.bus.vocabulary import Selection

MOVIES = 100_000
TWELVE = (
    "name,status,acquired,ctf.defocusUm,ctf.defocusDeltaUm,ctf.resolutionAngstrom,ctf.iceThickness,"
    "motion.accumulatedTotalAngstrom,motion.meanFrameMovementAngstrom,picking.count,picking.junkPercent,picking.certainty"
)
READERS = 200
REPORTS = 400
REPORT_INTERVAL_S = 0.05


@pytest.mark.bench
def test_a_hundred_thousand_movies_over_http(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    large_session(tmp_path, MOVIES)
    api = Api(tmp_path, free_ports(5))
    table: list[tuple[str, float, int]] = []

    def timed(what: str, path: str, **headers: str) -> httpx.Response:
        took_s, answer = min((_timed_get(api, path, headers) for _ in range(3)), key=lambda one: one[0])
        table.append((what, took_s, int(answer.headers.get("content-length", len(answer.content)))))
        return answer

    try:
        begun = time.monotonic()
        while not _knows_the_session(api):
            assert time.monotonic() - begun < 120
            time.sleep(0.1)
        started_s = time.monotonic() - begun
        whole = timed("series of 12 columns", f"/api/series?columns={TWELVE}")
        series = Series(whole.content)
        api.control.request(m.SelectItem(series.columns["name"][7], Selection.EXCLUDE))
        since = f"since={series.header['seq']}&epoch={series.header['epoch']}"
        newer = timed("series of what has changed: one movie", f"/api/series?columns={TWELVE}&{since}")
        timed("100 movies sorted by a column", "/api/items?sort=-ctf.resolutionAngstrom")
        found = timed(
            "100 movies, 3 filters, 2 keys",
            "/api/items?filter=ctf.defocusUm:1..2&filter=picking.count:100..&filter=name:*_3_*"
            "&sort=ctf.resolutionAngstrom,-name&fields=name,status",
        )
        timed("CSV of 3 columns", "/api/items?format=csv&fields=name,status,ctf.defocusUm")
        timed("CSV of all columns", "/api/items?format=csv")
        timed("session report", "/api/report")
        report_s = table[-1][1]
        memory_mb = (
            max(one.memory_info().rss for one in psutil.Process(api.server.pid).children(recursive=True)) / 2**20
        )
    finally:
        api.close()
    print(f"\n{MOVIES} movies: best of 3, s; bytes")
    for what, took_s, size in table:
        print(f"{took_s:8.3f} {size:12d}  {what}")
    print(f"{started_s:8.1f}               scheduler and API from their start to the first series")
    print(f"{memory_mb:8.0f} MiB           memory of the process that serves")
    assert series.header["count"] == MOVIES
    assert Series(newer.content).header["count"] == 1
    assert len(found.json()["items"]) == 100
    assert report_s < 2
    assert table[0][1] < 0.5
    assert table[0][2] < 3_000_000


@pytest.mark.bench
def test_how_soon_readers_hear_of_a_result(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    print(f"\n{REPORTS} movies, one each {REPORT_INTERVAL_S} s: ms from the worker's report to a reader")
    print(f"{'readers':>8}{'median':>8}{'p99':>8}{'most':>8}  CPU of the API, %")
    api = Api(tmp_path, free_ports(5))
    api.wait()
    worker = _ReportingWorker(api.endpoints)
    try:
        for crowd in (0, READERS - 1):
            waits_ms, load_percent = _waits_ms(api, worker, crowd)
            median, p99, most = np.percentile(waits_ms, (50, 99, 100))
            print(f"{crowd + 1:8d}{median:8.1f}{p99:8.1f}{most:8.1f}{load_percent:8.0f}")
            assert p99 < 300
    finally:
        worker.close()
        api.close()


class _ReportingWorker(WireWorker):
    """Remembers when it has reported each movie."""

    def __init__(self, endpoints: object) -> None:
        self.reported: dict[str, float] = {}
        super().__init__(endpoints)  # type: ignore[arg-type]

    def _heard(self, message: object) -> None:
        super()._heard(message)
        if isinstance(message, m.AssignTask):
            self.reported[message.name] = time.monotonic()


def _waits_ms(api: Api, worker: _ReportingWorker, crowd: int) -> tuple[list[float], float]:
    """Milliseconds from each report to its event, and how busy the API was."""
    command = [sys.executable, "-m", "tests.benchmarks.event_crowd", str(api.rest_port), str(crowd)]
    others = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) if crowd else None
    with EventReader(f"http://127.0.0.1:{api.rest_port}/api/events") as reader:
        if others is not None and others.stdout is not None:
            assert others.stdout.readline() == "ready\n"
        while not reader.sent:
            time.sleep(0.05)
        server = psutil.Process(api.server.pid).children(recursive=True)[-1]
        busy_s, begun = sum(server.cpu_times()[:2]), time.monotonic()
        names = [f"{crowd}-{number}" for number in range(REPORTS)]
        for name in names:
            api.register(f"{name}.tif")
            time.sleep(REPORT_INTERVAL_S)
        deadline = time.monotonic() + 30
        while len(reader.topics("movie.done")) < REPORTS and time.monotonic() < deadline:
            time.sleep(0.05)
        load_percent = 100 * (sum(server.cpu_times()[:2]) - busy_s) / (time.monotonic() - begun)
        done = {one.data["movie"]["name"]: one.at for one in reader.sent if one.topic == "movie.done"}
    if others is not None:
        least, most = others.communicate("\n")[0].split()
        assert least == most, "every reader has had every event"
    return [1000 * (done[name] - worker.reported[name]) for name in names], load_percent


def _timed_get(api: Api, path: str, headers: dict[str, str]) -> tuple[float, httpx.Response]:
    begun = time.perf_counter()
    answer = api.http.get(path, headers=headers)
    took_s = time.perf_counter() - begun
    assert answer.status_code == 200, answer.text[:200]
    return took_s, answer


def _knows_the_session(api: Api) -> bool:
    try:
        return api.http.get("/api/series?columns=name").status_code == 200
    except httpx.TransportError:
        return False
