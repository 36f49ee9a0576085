"""What a job runs, the key that it has, and what the pool hears of the session."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from warpcore.bus.keys import Holder
from warpcore.bus.messages import ProcessingStatus, Worker, Workers
from warpcore.bus.vocabulary import Role, WorkerState
from warpcore.services.access import keys
from warpcore.services.access.places import Access
from warpcore.services.pool.configuration import Configuration, ConfigurationError, Executor
from warpcore.services.pool.jobs import WorkerSeen
from warpcore.services.pool.site import seen
from warpcore.services.pool.worker_jobs import BATCH_FOLDER, TAIL_LINES, WorkerJobs


def jobs(folder: Path, access: Access | None = None, host: str = "head", **configuration: object) -> WorkerJobs:
    whole: dict[str, object] = {"executor": Executor.SLURM, "wall_time_min": 600.0, **configuration}
    return WorkerJobs("gpu", Configuration(**whole), folder, folder, host, 8080, access)  # type: ignore[arg-type]


def test_a_job_runs_a_worker_of_this_installation(tmp_path: Path) -> None:
    request = jobs(tmp_path, arguments=["--rest-after", "5"]).request("3fa2-7", kept=False)
    assert request.name == "warpcore-gpu-3fa2-7"
    assert request.log == tmp_path / "gpu-3fa2-7.log"
    assert list(request.command) == [
        *(sys.executable, "-m", "warpcore.cli.main", "worker", "--scheduler", "head", "--controller-port", "8080"),
        *("--name", "gpu-3fa2-7", "--pool", "gpu/3fa2-7", "--wall-time", "599", "--idle-end", "15"),
        *("--rest-after", "5"),
    ]


def test_a_worker_that_is_kept_does_not_end_when_it_is_idle(tmp_path: Path) -> None:
    assert "--idle-end" not in jobs(tmp_path).request("1", kept=True).command


def test_another_program_may_start_it(tmp_path: Path) -> None:
    found = jobs(tmp_path, program=["apptainer", "run", "--nv", "w.sif"], scheduler="ib0.head").request("1", kept=True)
    assert list(found.command)[:7] == ["apptainer", "run", "--nv", "w.sif", "worker", "--scheduler", "ib0.head"]


def test_a_scheduler_that_jobs_cannot_reach_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot reach the scheduler at 127\.0\.0\.1: set"):
        jobs(tmp_path, host="127.0.0.1")
    jobs(tmp_path, host="127.0.0.1", executor=Executor.LOCAL)
    jobs(tmp_path, host="127.0.0.1", scheduler="head")


def test_each_job_has_a_key_of_its_own_until_it_ends(tmp_path: Path) -> None:
    access = Access(tmp_path / "access")
    keys.init(access)
    keys.add(access, Holder("gpu-else", Role.WORKER))
    pool = jobs(tmp_path, access)
    for job in ("3fa2-1", "3fa2-2"):
        pool.make_key(job)
    command = list(pool.request("3fa2-2", kept=True).command)
    key = keys.read_key(Path(command[command.index("--key") + 1]))
    assert key.holder == Holder("gpu-3fa2-2", Role.WORKER)
    assert key.holder.speaks_for(command[command.index("--name") + 1])
    pool.revoke_others(["3fa2-2"], "3fa2-")
    assert [one.name for one in keys.known_keys(access)] == ["gpu-else", "gpu-3fa2-2"]
    pool.revoke_others([], "3fa2-")
    assert [one.name for one in keys.known_keys(access)] == ["gpu-else"]


def test_the_last_lines_of_a_job_are_those_of_its_worker_else_those_of_its_script(tmp_path: Path) -> None:
    pool = jobs(tmp_path)
    assert pool.tail("1", "77") == []
    (tmp_path / BATCH_FOLDER).mkdir()
    (tmp_path / BATCH_FOLDER / "77.out").write_text("module: command not found\n_PSI_J_LAUNCHER_DONE\n")
    assert pool.tail("1", "77") == ["module: command not found"]
    (tmp_path / "gpu-1.log").write_bytes(b"x" * 100_000 + b"\n\xff\n" + b"".join(b"%d\n" % n for n in range(50)))
    assert pool.tail("1", "77") == [f"{number}" for number in range(50 - TAIL_LINES, 50)]


def worker(name: str, pool: str, state: WorkerState, movies: int = 0, idle_s: float = 0.0) -> Worker:
    held = [f"m{number}" for number in range(movies)]
    return Worker(name, "host", 1, "cuda:0", 0, {}, state, movies=held, pool=pool, idle_s=idle_s)


def status(left: int, running: int, is_processing: bool = True, holds: tuple[str, ...] = ()) -> ProcessingStatus:
    tasks = [{"movie": f"m{number}"} for number in range(running)]
    return ProcessingStatus(is_processing, {}, 100, left, 60.0, 600.0, 3, tasks, 1, "d", "p", holds=list(holds))


def test_only_living_workers_of_this_pool_count_and_each_movie_that_they_have() -> None:
    registry = Workers(
        [
            worker("gpu-1", "gpu/1", WorkerState.BUSY, movies=3),
            worker("gpu-2", "gpu/2", WorkerState.IDLE, idle_s=70.0),
            worker("gpu-3", "gpu/3", WorkerState.SET_ASIDE, idle_s=5.0),
            worker("gpu-4", "gpu/4", WorkerState.LOST),
            worker("big-1", "big/1", WorkerState.BUSY, movies=2),
            worker("host/1", "", WorkerState.BUSY, movies=2),
        ]
    )
    found = seen("gpu", status(left=40, running=7), registry)
    assert found.workers == {"1": WorkerSeen(), "2": WorkerSeen(70.0), "3": WorkerSeen(5.0, aside=True)}
    assert found.names == {"1": "gpu-1", "2": "gpu-2", "3": "gpu-3"}
    assert (found.waiting, found.in_work, found.movies_per_hour) == (33, 3, 60.0)


@pytest.mark.parametrize(("is_processing", "holds"), [(False, ()), (True, ("the disk is full",))])
def test_while_nothing_is_handed_out_no_movie_waits_for_a_worker(is_processing: bool, holds: tuple[str, ...]) -> None:
    assert seen("gpu", status(40, 7, is_processing, holds), Workers([])).waiting == 0


def test_what_the_scheduler_counts_goes_before_what_follows_from_the_movies_that_are_left() -> None:
    """It counts a try while the session is paused, and movies of exports; an older scheduler does not tell."""
    told = msgspec.structs.replace(status(left=0, running=2, is_processing=False), waiting=1)
    assert seen("gpu", told, Workers([])).waiting == 1
