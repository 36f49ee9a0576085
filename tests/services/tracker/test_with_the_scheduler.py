"""Tracker and real scheduler together: the files agree with the state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import starfile

from tests.services.reports import whole
from tests.services.tracker.movies import RESULTS
from tests.services.tracker.world import Wait, ended, items, micrographs, particles
from warpcore.bus.client import RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.messages import (
    AssignTask,
    ExportJob,
    FoundFile,
    GetExport,
    GetProcessing,
    LookAtFolders,
    PatchSettings,
    ProcessingStatus,
    PullTasks,
    RegisterFiles,
    RegisterWorker,
    SelectItem,
    StartExport,
    TaskFailed,
    TaskFinished,
)
from warpcore.bus.schema import Message, read_message
from warpcore.bus.vocabulary import FailureKind, Purpose
from warpcore.services.scheduler.shell.service import run_scheduler
from warpcore.services.steps.export import PARTICLES_STAR
from warpcore.services.tracker.service import run_tracker
from warpcore.services.worker.seeing import sees


class Worker:
    """A worker that does `grid/m7`, fails everything else, and exports what it is asked to."""

    def __init__(self, ports: Endpoints) -> None:
        self._dealer = Dealer(ports.workers, b"w", "w")
        self._dealer.send(RegisterWorker("w", "1", "host", 1, "cpu", 0, {}))
        self._dealer.send(PullTasks("w", 2))

    def close(self) -> None:
        self._dealer.close()

    def work(self) -> None:
        """Do what has been assigned since the last call."""
        for envelope in self._dealer.receive():
            task = read_message(envelope.type, envelope.body)
            if isinstance(task, LookAtFolders):
                self._dealer.send(sees("w", task))
            if isinstance(task, AssignTask):
                self._dealer.send(self._done(task))
                self._dealer.send(PullTasks("w", 2))

    def _done(self, task: AssignTask) -> Message:
        if task.purpose != Purpose.PROCESS:
            # As a worker that finds the same bytes in place.
            return TaskFinished("w", task.lease, task.run, {}, {"export": {PARTICLES_STAR.pattern: None}})
        if task.name == "grid/m7":
            return TaskFinished("w", task.lease, task.run, whole(RESULTS), {})
        return TaskFailed("w", task.lease, FailureKind.INPUT, "load", "grid/m8.tif: is empty")


def test_with_the_real_scheduler_files_agree_and_a_job_outlives_both(
    free_ports: Callable[[int], list[int]], tmp_path: Path, wait_until: Wait
) -> None:
    """File to rows over the real control port, worker port and hub; the tracker starts when the job waits already."""
    ports = Endpoints("127.0.0.1", *free_ports(4))
    data, processing = tmp_path / "data", tmp_path / "processing"
    data.mkdir()
    processing.mkdir()
    particles(processing, 7, 4)
    with ExitStack() as running:
        running.callback(ended(run_scheduler, ports, data, processing))
        client = running.enter_context(RequestClient(ports.control, "test", timeout_s=3.0))
        client.request(PatchSettings({"picking": {"diameter": 100.0}}))
        client.request(RegisterFiles([FoundFile("grid/m7.tif", 1000, 1), FoundFile("grid/m8.tif", 1000, 1)]))
        worker = running.enter_context(closing(Worker(ports)))

        def all_processed() -> bool:
            worker.work()
            status = client.request(GetProcessing())
            assert isinstance(status, ProcessingStatus)
            return status.counts.get("processed") == 1 and status.counts.get("failed") == 1

        wait_until(all_processed, what="one movie done, one failed")
        client.request(StartExport("particles"))

        def job_state() -> str:
            worker.work()
            job = client.request(GetExport("job-1"))
            assert isinstance(job, ExportJob)
            return job.state

        wait_until(lambda: job_state() == "collecting", what="job waits for its summary")
        running.callback(ended(run_tracker, ports, processing, debounce_s=0.02))

        wait_until(lambda: job_state() == "done", what="job done")
        folder = processing / "particles/job-1"
        assert len(starfile.read(folder / "particles.star", always_dict=True)["particles"]) == 4
        assert not (processing / "particles.star").exists(), "the session exports none itself"
        wait_until(lambda: micrographs(processing) == ["average/grid/m7.mrc"], what="row")
        wait_until(lambda: (processing / "movies.star").is_file(), what="movies.star")
        movies = starfile.read(processing / "movies.star", always_dict=True)["movies"]
        assert movies["rlnMicrographMovieName"].tolist() == [str(tmp_path / "data/grid/m7.tif")]
        assert [one["Path"] for one in items(processing) or []] == ["grid/m7.tif"]
        (failed,) = items(processing, "failed_items.json") or []
        assert (failed["Path"], failed["Step"]) == ("grid/m8.tif", "load")
        client.request(SelectItem("grid/m7", "exclude"))
        wait_until(lambda: micrographs(processing) == [], what="choice of the user")
        wait_until(lambda: [one["ProcessingStatus"] for one in items(processing) or []] == [5], what="status of it")
