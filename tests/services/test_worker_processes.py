"""Several compute processes of one worker, as on a GPU: what dies takes its own movies with it and no others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.services.test_worker_nanny import LOST, NOTHING, answer, sent, task
from tests.services.test_worker_service import Scheduler
from tests.waiting import crowd, wait_for_end
from warpcore.bus import messages as m
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.vocabulary import FailureKind
from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker import nanny as nanny_module
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.computing import processes_for
from warpcore.services.worker.devices import DeviceError, environment_for
from warpcore.services.worker.effects import KillCompute, StartCompute, ToCompute
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.line import (
    Begin,
    Cancel,
    Command,
    Dropped,
    Failed,
    Faulty,
    Finished,
    Noticed,
    Progress,
    Ready,
    Report,
    Stage,
)
from warpcore.services.worker.local_files import plan_file
from warpcore.services.worker.nanny import CANCEL_GRACE_S, Nanny
from warpcore.services.worker.service import Served, run_worker

PROGRAM = """
import socket, sys
from warpcore.kernels.image import device_form
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.compute import Compute
from warpcore.services.worker.line import Command, Ready
line = Channel(socket.socket(fileno=int(sys.argv[1])), Command)
with device_form():
    Compute(line, Ready("cuda:0", 8, {}), lambda: None).run()
"""
# What dies and what waits is the same whatever is computed; motion compiles the least.
SETTINGS = parse_settings({"import": {"dose_per_frame": 3.0}, "ctf": {"enabled": False}, "picking": {"enabled": False}})
NAMES = ("movie_0001", "movie_0002", "movie_0003")
GPU = Ready("NVIDIA H100 (cuda:0)", 8, {})
GB = 1 << 30


# --- decisions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def nanny() -> Nanny:
    """A registered nanny with three ready compute processes on a GPU."""
    nanny = Nanny(Identity("w", "i", "h", 1), processes=3)
    assert nanny.start(0.0) == [StartCompute(0), StartCompute(1), StartCompute(2)]
    registering = nanny.from_compute(GPU, 1.0, 0)
    assert nanny.from_compute(GPU, 1.0, 1) == []
    answer(nanny, registering, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 1.0)
    assert sent(nanny.from_compute(GPU, 1.5, 2)) == [m.PullTasks("w", 9)]
    return nanny


def where(effects: list[object]) -> list[int]:
    return [effect.process for effect in effects if isinstance(effect, ToCompute)]


def test_each_process_counts_for_a_task_in_each_stage() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1), processes=3)
    nanny.start(0.0)
    effects = nanny.from_compute(GPU, 1.0, 1)
    (register,) = sent(effects)
    assert isinstance(register, m.RegisterWorker)
    assert register.device_memory_mb == 3 * GPU.device_memory_mb
    assert sent(answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 1.0)) == [
        m.PullTasks("w", 3)
    ]
    assert sent(nanny.from_compute(GPU, 2.0, 0)) == [m.PullTasks("w", 6)]


def test_a_task_goes_to_the_process_with_the_fewest(nanny: Nanny) -> None:
    assert [where(nanny.from_scheduler(task(lease), None, 2.0)) for lease in (1, 2, 3, 4)] == [[0], [1], [2], [0]]
    nanny.from_compute(Finished(2, [], {}, {}), 3.0, 1)
    assert where(nanny.from_scheduler(task(5), None, 4.0)) == [1]
    assert where(nanny.from_scheduler(m.CancelTask(4, "x"), None, 5.0)) == [0]


def test_a_death_costs_the_tasks_of_that_process_alone(nanny: Nanny) -> None:
    for lease in (1, 2, 3, 4, 5):
        nanny.from_scheduler(task(lease), None, 2.0)
    for lease, process in ((1, 0), (2, 1), (3, 2)):
        nanny.from_compute(Progress(lease, Stage.COMPUTE, "motion", 0.5), 3.0, process)
    assert sent(nanny.compute_exited(LOST, "killed", 4.0, 1)) == [
        m.ComputeDied("w", [2, 5], 2, LOST, "killed"),
        m.PullTasks("w", 6),
    ]
    assert sorted(nanny.held) == [1, 3, 4]
    assert StartCompute(1) in nanny.tick(4.0, NOTHING)
    assert where(nanny.from_scheduler(task(6), None, 4.5)) == [2], "not to the one that starts"


def test_pauses_before_a_restart_are_those_of_the_process_that_dies(nanny: Nanny) -> None:
    nanny.compute_exited(LOST, "x", 2.0, 1)
    assert nanny.tick(2.0, NOTHING)[0] == StartCompute(1)
    nanny.compute_exited(LOST, "x", 3.0, 1)
    nanny.compute_exited(LOST, "x", 3.0, 2)
    started = [effect for effect in nanny.tick(3.0, NOTHING) if isinstance(effect, StartCompute)]
    assert started == [StartCompute(2)]


def test_a_task_that_does_not_let_go_costs_its_own_process(nanny: Nanny) -> None:
    nanny.from_scheduler(task(1), None, 2.0)
    nanny.from_scheduler(task(2), None, 2.0)
    nanny.from_scheduler(m.CancelTask(2, "x"), None, 3.0)
    killed = [one for one in nanny.tick(3.1 + CANCEL_GRACE_S, NOTHING) if isinstance(one, KillCompute)]
    assert [one.process for one in killed] == [1]


def test_one_faulty_process_sets_the_whole_worker_aside(nanny: Nanny) -> None:
    nanny.from_scheduler(task(1), None, 2.0)
    effects = nanny.from_compute(Faulty(GPU, "the sums are off"), 3.0, 2)
    assert [one.process for one in effects if isinstance(one, KillCompute)] == [0, 1, 2]
    assert nanny.held == {}
    assert m.PullTasks("w", 0) in sent(effects)


def test_what_several_processes_notice_is_told_once(nanny: Nanny) -> None:
    nanny.from_compute(Noticed(warnings=["the gain is upside down"]), 2.0, 0)
    nanny.from_compute(Noticed(warnings=["the gain is upside down", "too dark"]), 2.0, 2)
    (beat,) = [one for one in sent(nanny.tick(3.0, NOTHING)) if isinstance(one, m.Heartbeat)]
    assert beat.warnings == ["the gain is upside down", "too dark"]


@pytest.mark.parametrize(
    ("memory", "cores", "processes"),
    [(None, 64, 1), (66 * GB, 16, 3), (66 * GB, 8, 2), (66 * GB, 2, 1), (16 * GB, 16, 1), (40 * GB, 64, 2)],
)
def test_processes_follow_the_devices_memory_and_the_hosts_cores(
    memory: int | None, cores: int, processes: int
) -> None:
    assert processes_for(memory, cores) == processes


@pytest.mark.parametrize(
    ("own", "fraction"), [({}, "0.267"), ({"XLA_CLIENT_MEM_FRACTION": "0.6"}, "0.200")], ids=["none", "given"]
)
def test_processes_share_what_the_worker_may_take_of_the_memory(own: dict[str, str], fraction: str) -> None:
    assert environment_for("cuda:0", own, processes=3)["XLA_CLIENT_MEM_FRACTION"] == fraction
    with pytest.raises(DeviceError, match="XLA_CLIENT_MEM_FRACTION=much: use a fraction"):
        environment_for("cuda:0", {"XLA_CLIENT_MEM_FRACTION": "much"}, processes=3)


# --- real processes --------------------------------------------------------------------------------------------------


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
def compute_process(cache: Path) -> Iterator[Channel[Command, Report]]:
    """The nanny's end of the line to a real compute process in the device's form."""
    ours, theirs = socket.socketpair()
    ours.settimeout(120 * crowd())
    command = [sys.executable, "-c", PROGRAM, str(theirs.fileno())]
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


def test_a_damaged_movie_holds_up_no_other(movies: Path, tmp_path: Path) -> None:
    with compute_process(movies / "kernels") as line:
        for lease, name in enumerate(NAMES, 1):
            task = plan_file(movies / f"{name}.tif", SETTINGS, tmp_path).task
            line.send(Begin(msgspec.structs.replace(task, lease=lease)))
        ended: list[Report] = []
        while len(ended) < len(NAMES):
            report = line.receive()
            if isinstance(report, (Finished, Failed)):
                ended.append(report)
    failed = [report for report in ended if isinstance(report, Failed)]
    assert [(report.lease, report.kind) for report in failed] == [(2, FailureKind.INPUT)]


def test_a_cancelled_movie_that_waits_is_let_go_at_once(movies: Path, tmp_path: Path) -> None:
    """The one before it, which waits too, gives a busy machine the time for that."""
    with compute_process(movies / "kernels") as line:
        for lease in (1, 2, 3):
            task = plan_file(movies / f"{NAMES[0]}.tif", SETTINGS, tmp_path).task
            line.send(Begin(msgspec.structs.replace(task, lease=lease)))
        while not isinstance(report := line.receive(), Progress) or report.stage is not Stage.COMPUTE:
            pass
        line.send(Cancel(3))
        ended: list[tuple[type[Report], int]] = []
        while len(ended) < 3:
            report = line.receive()
            if isinstance(report, (Dropped, Finished, Failed)):
                ended.append((type(report), report.lease))
    assert set(ended) == {(Finished, 1), (Finished, 2), (Dropped, 3)}
    assert ended[-1] == (Finished, 2)


def test_a_worker_of_two_processes_goes_on_with_one_while_the_other_is_killed(
    movies: Path,
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nanny_module, "REFUSED_PAUSE_S", 0.1)
    monkeypatch.setenv("WARPCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(movies / "kernels"))
    endpoints, stop = Endpoints(controller_port=free_ports(1)[0]), threading.Event()
    scheduler = Scheduler(endpoints.workers)
    options = {"name": "w", "device": "cpu", "processes": 2, "stop": stop}
    worker = threading.Thread(target=run_worker, args=([Served(endpoints)],), kwargs=options)
    before = set(psutil.Process().children())
    worker.start()
    try:
        wait_until(lambda: m.PullTasks("w", 4) in scheduler.heard, 120, what="two ready processes")
        computing = [one for one in psutil.Process().children() if one not in before]
        assert len(computing) == 2
        os.kill(computing[1].pid, signal.SIGSTOP)  # so that its movie is not done before it dies
        for lease, name in ((1, NAMES[0]), (2, NAMES[2])):
            given = msgspec.structs.replace(
                plan_file(movies / f"{name}.tif", SETTINGS, tmp_path / "p").task, lease=lease
            )
            assert scheduler.say(given)
        wait_until(
            lambda: any(one.step == "motion" for one in scheduler.of(m.TaskProgress)), 120, what="a movie in work"
        )
        os.kill(computing[1].pid, signal.SIGKILL)
        wait_until(lambda: scheduler.of(m.ComputeDied), 120, what="a death that is told")
        wait_until(lambda: scheduler.of(m.TaskFinished), 120, what="the other movie")
    finally:
        stop.set()
        wait_for_end(worker, 30)
        scheduler.server.close()
    (died, *_), (finished, *_) = scheduler.of(m.ComputeDied), scheduler.of(m.TaskFinished)
    assert isinstance(died, m.ComputeDied)
    assert isinstance(finished, m.TaskFinished)
    assert died.leases == [2]
    assert finished.lease == 1
    assert not any(one.is_running() for one in computing)
