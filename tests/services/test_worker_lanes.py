"""Several movies in one compute process at a time, as on a GPU: the same bytes, and nobody waits for an unlucky one."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from warpcore.bus.vocabulary import FailureKind
from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.held import Held, culprit_of
from warpcore.services.worker.line import (
    Begin,
    Cancel,
    Command,
    Commit,
    Dropped,
    Failed,
    Finished,
    Progress,
    Ready,
    Report,
    Stage,
    Staged,
)
from warpcore.services.worker.local import _task
from warpcore.services.worker.on_device import lanes_of
from warpcore.services.worker.running import Running

PROGRAM = """
import socket, sys
from warpcore.kernels.image import device_form
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.compute import Compute
from warpcore.services.worker.line import Command, Ready
line = Channel(socket.socket(fileno=int(sys.argv[1])), Command)
with device_form():
    Compute(line, Ready("cuda:0", 8, {}, lanes=int(sys.argv[2])), lambda: None).run()
"""
NAMES = ("movie_0001", "movie_0002", "movie_0003")
GB = 1 << 30


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three small movies, the second of which is cut off."""
    folder = tmp_path_factory.mktemp("movies")
    options = SimulationOptions(frames=6, height=384, width=416, dose_per_frame=3.0, particles=8, gain=False)
    made = simulate_movies(folder, len(NAMES), options=options, seed=4)
    whole = made[1].path.read_bytes()
    made[1].path.write_bytes(whole[: len(whole) // 2])
    return folder


@contextmanager
def compute_process(lanes: int, cache: Path) -> Iterator[Channel[Command, Report]]:
    """The nanny's end of the line to a real compute process."""
    ours, theirs = socket.socketpair()
    ours.settimeout(120)
    command = [sys.executable, "-c", PROGRAM, str(theirs.fileno()), str(lanes)]
    # What one process has compiled the next finds.
    kernels = {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], env=os.environ | kernels) as process:
        theirs.close()
        line: Channel[Command, Report] = Channel(ours, Report)
        try:
            assert isinstance(line.receive(), Ready)
            yield line
        finally:
            process.kill()


def processed(movies: Path, processing: Path, lanes: int) -> tuple[list[Report], int]:
    """The ends of all tasks, and how many were computed at the same time at most."""
    settings = parse_settings({"import": {"dose_per_frame": 3.0}, "picking": {"diameter": 136.0, "method": "network"}})
    with compute_process(lanes, movies / "kernels") as line:
        for lease, name in enumerate(NAMES, 1):
            task = _task(movies / f"{name}.tif", name, settings, processing)
            line.send(Begin(msgspec.structs.replace(task, lease=lease)))
        ended: list[Report] = []
        computing: set[int] = set()
        most = 0
        while len(ended) < len(NAMES):
            report = line.receive()
            match report:
                case Progress(lease=lease, stage=stage):
                    computing = computing | {lease} if stage is Stage.COMPUTE else computing - {lease}
                    most = max(most, len(computing))
                case Staged(lease=lease):
                    line.send(Commit(lease, granted=True))
                case Finished() | Failed():
                    computing.discard(report.lease)
                    ended.append(report)
        return ended, most


def test_movies_side_by_side_give_the_bytes_of_movies_one_by_one(movies: Path, tmp_path: Path) -> None:
    beside, most = processed(movies, tmp_path / "beside", lanes=3)
    alone, one = processed(movies, tmp_path / "alone", lanes=1)
    assert most > 1
    assert one == 1
    for ended in (beside, alone):
        failed = [report for report in ended if isinstance(report, Failed)]
        assert [(report.lease, report.kind) for report in failed] == [(2, FailureKind.INPUT)]
    files = sorted(path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*") if path.is_file())
    assert len(files) > 20
    for relative in files:
        assert (tmp_path / "beside" / relative).read_bytes() == (tmp_path / "alone" / relative).read_bytes(), relative


def test_of_several_movies_that_were_computing_none_is_blamed(movies: Path) -> None:
    settings = parse_settings({})
    held = {
        lease: Held(_task(movies / f"{NAMES[0]}.tif", NAMES[0], settings, movies), stage)
        for lease, stage in ((3, Stage.LOAD), (4, Stage.COMPUTE), (5, Stage.WRITE))
    }
    assert culprit_of(held, [3, 4, 5]) == 4
    assert culprit_of(held, [3]) == 3
    assert culprit_of(held, [3, 5]) is None
    held[5].stage = Stage.COMPUTE
    assert culprit_of(held, [3, 4, 5]) is None


def test_a_movie_that_needs_the_device_alone_waits_for_others_and_holds_up_those_that_come() -> None:
    running, told = Running(), queue.SimpleQueue[str]()
    first_may_end, alone_may_end = threading.Event(), threading.Event()

    def beside(name: str, end: threading.Event) -> None:
        with running.beside_others():
            told.put(f"{name} begins")
            assert end.wait(30)
            told.put(f"{name} ends")

    def alone() -> None:
        with running.alone():
            told.put("alone begins")
            assert alone_may_end.wait(30)
            told.put("alone ends")

    threads = [threading.Thread(target=beside, args=("first", first_may_end))]
    threads[0].start()
    assert told.get(timeout=30) == "first begins"
    threads.append(threading.Thread(target=alone))
    threads[1].start()
    while not running._alone:  # it waits
        threads[1].join(0.01)
    threads.append(threading.Thread(target=beside, args=("second", first_may_end)))
    threads[2].start()
    first_may_end.set()
    assert [told.get(timeout=30) for _ in range(2)] == ["first ends", "alone begins"]
    alone_may_end.set()
    assert [told.get(timeout=30) for _ in range(3)] == ["alone ends", "second begins", "second ends"]
    for thread in threads:
        thread.join(30)


@pytest.mark.parametrize(
    ("memory", "cores", "lanes"),
    [(None, 64, 1), (66 * GB, 16, 3), (66 * GB, 8, 2), (66 * GB, 2, 1), (16 * GB, 16, 1), (40 * GB, 64, 2)],
)
def test_lanes_follow_the_devices_memory_and_the_hosts_cores(memory: int | None, cores: int, lanes: int) -> None:
    assert lanes_of(memory, cores) == lanes


def test_a_gpu_asks_for_a_task_to_load_and_two_for_each_lane() -> None:
    assert Ready("cpu (8 cores)", 8, {}).at_once == 2
    assert Ready("NVIDIA H100 (cuda:0)", 8, {}, lanes=3).at_once == 7


def test_a_cancelled_movie_that_waits_is_let_go_at_once(movies: Path, tmp_path: Path) -> None:
    settings = parse_settings({"import": {"dose_per_frame": 3.0}})
    with compute_process(1, movies / "kernels") as line:
        for lease in (1, 2):
            task = _task(movies / f"{NAMES[0]}.tif", NAMES[0], settings, tmp_path)
            line.send(Begin(msgspec.structs.replace(task, lease=lease)))
        while not isinstance(report := line.receive(), Progress) or report.stage is not Stage.COMPUTE:
            pass
        line.send(Cancel(2))
        ended: list[Report] = []
        while not ended or not isinstance(ended[-1], Finished):
            match report := line.receive():
                case Staged(lease=lease):
                    line.send(Commit(lease, granted=True))
                case Dropped() | Finished() | Failed():
                    ended.append(report)
    assert [(type(one), one.lease) for one in ended] == [(Dropped, 2), (Finished, 1)]  # type: ignore[union-attr]
