"""Export jobs on a real disk: each in a folder of its own, which goes with it, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files, files_of
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.services.steps.export import PARTICLES, PARTICLES_STAR

BOXES = {"particles": True, "box_size": 160}
OF_THE_SESSION, OF_THE_JOB = b"boxes of 160 px", b"boxes of 128 px"
MOVIES = ("job-1/a", "grid/b")
"""One lies in a folder of the data that is called as the job's."""


@pytest.fixture
def worker(site: Site) -> Iterator[WorkerSide]:
    worker = WorkerSide(site, "w")
    with closing(worker.dealer):
        yield worker


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def on_disk(site: Site) -> dict[str, bytes]:
    """All outputs by their paths, with the records that list those of each movie."""
    return files_of(site, but={".warpcore"})


def work(worker: WorkerSide, client: RequestClient, wait_until: WaitUntil, content: bytes) -> list[wire.AssignTask]:
    """Do one task after another, with boxes that hold `content`, until there is none."""
    done: list[wire.AssignTask] = []

    def step() -> bool:
        for task in worker.got(wire.AssignTask):
            if task.lease in worker.reported:
                continue
            outputs = {step: {} for step in task.run if step != "export"}
            outputs["export"] = {PARTICLES.pattern: content, PARTICLES_STAR.pattern: content}
            worker.report(task, {step: {"count": 3} if step == "picking" else {} for step in task.run}, outputs)
            worker.dealer.send(wire.PullTasks("w", 1))
            done.append(task)
        jobs = ask(client, wire.GetExports()).jobs
        idle = all(ask(client, wire.GetItem(name)).movie.status == "processed" for name in MOVIES)
        return idle and all(job.state != "running" for job in jobs)

    worker.dealer.send(wire.PullTasks("w", 1))
    wait_until(step, what="all is done")
    return done


def listed(client: RequestClient) -> list[str]:
    return [job.job for job in ask(client, wire.GetExports()).jobs]


def test_a_job_overwrites_nothing_of_the_session_and_takes_nothing_along(
    site: Site, worker: WorkerSide, wait_until: WaitUntil
) -> None:
    """Jobs outlive a restart; what is deleted is the folder of the job alone, not where links in it lead to."""
    with site.running() as client:
        ask(client, wire.PatchSettings({"picking": {"diameter": 100.0}, "export": BOXES}))
        ask(client, files(*(f"{name}.tif" for name in MOVIES)))
        worker.register()
        work(worker, client, wait_until, OF_THE_SESSION)
        session = on_disk(site)
        assert session["particles/job-1_/a_picks.mrcs"] == OF_THE_SESSION
        job = ask(client, wire.StartExport("particles", {"box_size": 128, "particle_pixel_size": 2.0}))
        tasks = work(worker, client, wait_until, OF_THE_JOB)
        assert {task.folder for task in tasks} == {job.folder} == {"particles/job-1"}
        made = {f"{job.folder}/{pattern.path(name)}" for name in MOVIES for pattern in (PARTICLES, PARTICLES_STAR)}
        assert set(ask(client, wire.GetExport(job.job)).files) == made
        assert on_disk(site) == session | dict.fromkeys(made, OF_THE_JOB)
    elsewhere = site.processing.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("mine")
    (site.processing / job.folder / "link").symlink_to(elsewhere)
    with site.running() as client:
        (kept,) = ask(client, wire.GetExports()).jobs
        assert (kept.job, kept.folder, kept.done) == ("job-1", "particles/job-1", 2)
        assert ask(client, wire.DeleteExport("job-1")).state == "deleting"
        wait_until(lambda: not listed(client), what="the job is gone")
        assert on_disk(site) == session
        assert not (site.processing / "particles/job-1").exists()
        assert (elsewhere / "mine.txt").is_file()
    with site.running() as client:
        assert listed(client) == []
        assert ask(client, wire.StartExport("particles")).job == "job-2"


def test_a_folder_that_is_a_link_loses_the_link_alone(site: Site, worker: WorkerSide, wait_until: WaitUntil) -> None:
    with site.running() as client:
        ask(client, wire.PatchSettings({"picking": {"diameter": 100.0}}))
        ask(client, files(*(f"{name}.tif" for name in MOVIES)))
        worker.register()
        work(worker, client, wait_until, OF_THE_SESSION)
        ask(client, wire.StartExport("particles"))
        work(worker, client, wait_until, OF_THE_JOB)
        folder, elsewhere = site.processing / "particles/job-1", site.processing.parent / "large disk"
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
        ask(client, wire.DeleteExport("job-1"))
        wait_until(lambda: not listed(client), what="the job is gone")
        assert not folder.is_symlink()
        assert len([path for path in elsewhere.rglob("*") if path.is_file()]) == 4


def test_a_state_that_was_lost_gives_no_job_the_folder_of_another(
    site: Site, worker: WorkerSide, wait_until: WaitUntil
) -> None:
    (site.processing / "particles/job-3/particles").mkdir(parents=True)
    (site.processing / "exports/job-7").mkdir(parents=True)
    with site.running() as client:
        ask(client, files(*(f"{name}.tif" for name in MOVIES)))
        worker.register()
        work(worker, client, wait_until, OF_THE_SESSION)
        assert ask(client, wire.StartExport("micrographs", {"halves": True})).job == "job-8"
