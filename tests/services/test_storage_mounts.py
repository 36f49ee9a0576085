"""A data directory that is unmounted, a processing directory that fills up: real mounts under running services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.services.mounts import fill, mounted, needs_mounts
from tests.services.movie_files import write_tiff
from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, status
from tests.waiting import wait_for_end
from warpcore.bus import messages as wire
from warpcore.services.discoverer.service import run_discoverer
from warpcore.services.scheduler.shell import storage as storage_watch
from warpcore.services.session.errors import InputError
from warpcore.services.worker.failures import TaskError, classify
from warpcore.services.worker.pipeline import load

pytestmark = needs_mounts
MOVIES = 40


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch) -> Site:
    """A scheduler's folders, at which it looks more often than in a session."""
    monkeypatch.setattr(storage_watch, "LOOK_EVERY_S", 0.5)
    return Site(tmp_path, free_ports(4))


def work(worker: WorkerSide, done: set[int]) -> None:
    """Read each movie that was assigned since the last call, as a worker does, and report what came of it."""
    for task in worker.got(wire.AssignTask):
        if task.lease in done:
            continue
        done.add(task.lease)
        try:
            load(task, lambda step, fraction, message="": None)
        except (InputError, TaskError, OSError) as error:
            failed = classify(error, "load")
            worker.dealer.send(wire.TaskFailed(worker.name, task.lease, failed.kind, failed.step, failed.message))
        else:
            worker.finish(task)


def test_no_movie_fails_while_the_data_directory_is_unmounted_and_all_are_done_once_it_is_back(
    site: Site, tmp_path: Path, wait_until: WaitUntil
) -> None:
    stop, done = threading.Event(), set[int]()
    with mounted(tmp_path / "storage") as storage:
        site.data = storage.path
        frames = np.ones((3, 32, 32), np.uint8)
        for number in range(MOVIES):
            write_tiff(storage.path / f"m{number}.tif", frames)

        def discover() -> None:
            run_discoverer(site.endpoints, storage.path, incubation_s=0.1, scan_interval_s=0.2, stop=stop)

        worker, discoverer = WorkerSide(site, "w"), threading.Thread(target=discover)

        def worked(condition: Callable[[], object]) -> Callable[[], object]:
            def holds() -> object:
                work(worker, done)
                return condition()

            return holds

        with site.running() as client:
            discoverer.start()
            wait_until(lambda: status(client).total == MOVIES, 30, what="all movies found")
            worker.register()
            worker.dealer.send(wire.PullTasks("w", 2))
            wait_until(worked(lambda: len(done) >= 2), 30, what="the first movies")
            storage.go()
            wait_until(worked(lambda: status(client).holds), 30, what="hold")
            now = status(client)
            assert f"data directory {storage.path} is away: it is empty" in now.holds[0]
            assert now.summary.startswith("trouble")
            assert now.counts["failed"] == 0
            storage.come()
            wait_until(worked(lambda: status(client).counts["processed"] == MOVIES), 60, what="all done")
            assert status(client).holds == []
            stop.set()
            wait_for_end(discoverer)
        worker.dealer.close()


def test_processing_holds_while_its_disk_is_full_and_goes_on_when_there_is_room(
    site: Site, tmp_path: Path, wait_until: WaitUntil
) -> None:
    with mounted(tmp_path / "storage", megabytes=20) as storage:
        site.processing = storage.path
        worker = WorkerSide(site, "w")
        with site.running() as client:
            ask(client, wire.RegisterFiles([wire.FoundFile("a.tif", 100, 5)]))
            filler = storage.path / "filler"
            fill(filler)
            hold = f"disk full on {storage.path}: 0 MB left, needs 1 MB"
            wait_until(lambda: hold in " ".join(status(client).holds), 30, what=hold)
            filler.unlink()
            wait_until(lambda: not status(client).holds, 30, what="the end of the hold")
            worker.register()
            worker.dealer.send(wire.PullTasks("w", 2))
            wait_until(lambda: worker.got(wire.AssignTask), 30, what="the movie")
        worker.dealer.close()
