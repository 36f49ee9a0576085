"""Outputs are placed by a real scheduler on a real disk: a late worker, kills in the midst, a disk that is full."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.mounts import fill, mounted, needs_mounts
from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files, files_of, process, stage
from warpcore.bus import messages as wire
from warpcore.bus.client import NoAnswerError, RequestClient
from warpcore.services.session.movie_record import FOLDER
from warpcore.services.session.placing import PLACING, STAGING
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.ctf import FIT, SPECTRUM
from warpcore.services.steps.export import AVERAGE

MOVIES = 40
KILLS = 2


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def outputs(site: Site) -> dict[str, bytes]:
    """All outputs, hidden files among them too."""
    return files_of(site, but={".warpcore", FOLDER})


def left_over(site: Site) -> list[str]:
    """The folders of tasks that are still there."""
    return [path.name for folder in (STAGING, PLACING) for path in (site.processing / folder).glob("*")]


def all_outputs(mark: str) -> dict[str, dict[str, bytes]]:
    """One file for each that the steps declare, as they are switched on by default."""
    return {
        step.name: {output.pattern: f"{mark} {output.pattern}".encode() for output in step.outputs}
        for step in CHAIN
        if step.name != "picking"
    }


def test_a_worker_that_was_stopped_for_long_changes_nothing_that_is_current(site: Site, wait_until: WaitUntil) -> None:
    """Stopped while it writes, lost, its movie done by another with other settings; then it goes on."""
    worker = WorkerSide(site, "w")
    command = [sys.executable, "-m", "tests.services.late_worker", str(site.endpoints.controller_port)]
    with site.running(heartbeat_timeout_s=1.5) as client:
        ask(client, files("a.tif"))
        late = subprocess.Popen(
            [*command, str(site.processing)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert late.stdin is not None
        assert late.stdout is not None
        try:
            assert late.stdout.readline() == "half\n"
            late.send_signal(signal.SIGSTOP)
            wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "unprocessed", what="its lease is lost")
            ask(client, wire.PatchSettings({"ctf": {"range_max": 5.0}}))
            task = worker.take(wait_until)
            worker.report(task, {step: {} for step in task.run}, all_outputs("current"))
            wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed", what="the end")
            before, movie = outputs(site), ask(client, wire.GetItem("a")).movie
            assert set(before.values()) == {text for one in all_outputs("current").values() for text in one.values()}
            late.send_signal(signal.SIGCONT)
            late.stdin.write("\n")
            late.stdin.flush()
            told = late.stdout.readline()
            assert told in ("written\n", "FileNotFoundError\n"), "it has written into its own folder, if that is there"
            wait_until(lambda: left_over(site) == [], what="nothing of it stays")
            assert outputs(site) == before
            assert ask(client, wire.GetItem("a")).movie == movie
        finally:
            late.kill()
            late.communicate()
    worker.dealer.close()


def done(client: RequestClient) -> int:
    """How many movies are processed; -1 while the scheduler does not answer."""
    try:
        return int(ask(client, wire.GetProcessing()).counts["processed"])
    except NoAnswerError:
        return -1


def test_a_scheduler_that_is_killed_while_it_places_outputs_goes_on_where_it_was(
    site: Site, wait_until: WaitUntil
) -> None:
    """Killed twice while forty movies are reported, each again until it is answered."""
    client = RequestClient(site.endpoints.control, "test", timeout_s=3.0)
    worker, reported = WorkerSide(site, "w"), set[int]()

    def work() -> bool:
        for task in worker.got(wire.AssignTask):
            if task.lease not in reported:
                reported.add(task.lease)
                worker.report(task, {step: {} for step in task.run}, all_outputs(task.name))
        return True

    for number in range(KILLS + 1):
        with process(site):
            wait_until(lambda: done(client) >= 0, 60, what="a scheduler that answers")
            if number == 0:
                ask(client, files(*(f"m{number}.tif" for number in range(MOVIES))))
            # As a worker does that has come back: what it holds, it reports once more.
            held = [task for task in worker.got(wire.AssignTask) if task.lease in reported]
            worker.inbox.clear()
            worker.register([task.lease for task in held])
            wait_until(lambda: worker.got(wire.WorkerRegistered), what="registration")
            (answer,) = worker.got(wire.WorkerRegistered)
            for task in held:
                if task.lease in answer.leases:
                    worker.report(task, {step: {} for step in task.run}, all_outputs(task.name))
            worker.dealer.send(wire.PullTasks("w", 9))
            goal = MOVIES if number == KILLS else MOVIES * (number + 1) // (KILLS + 2)
            wait_until(lambda: work() and done(client) >= goal, 60, what=f"{goal} movies")  # noqa: B023
            if number == KILLS:
                wait_until(lambda: left_over(site) == [], what="nothing stays behind")
    client.close()
    worker.dealer.close()
    expected = {
        output.path(f"m{number}"): f"m{number} {output.pattern}".encode()
        for number in range(MOVIES)
        for step in CHAIN
        if step.name != "picking"
        for output in step.outputs
    }
    assert outputs(site) == expected


@needs_mounts
def test_outputs_for_which_the_disk_has_no_room_wait_for_it_and_their_movie_does_not_fail(
    site: Site, wait_until: WaitUntil
) -> None:
    """Averages lie on a disk of their own, so that they are copied, and it is full; the scheduler is killed then."""
    client = RequestClient(site.endpoints.control, "test", timeout_s=3.0)
    worker, content = WorkerSide(site, "w"), bytes(300_000)
    with mounted(site.processing.parent / "storage", megabytes=1) as small:
        (site.processing / "average").symlink_to(small.path)
        fill(small.path / "full")
        with process(site):
            wait_until(lambda: done(client) >= 0, 60, what="a scheduler that answers")
            ask(client, files("a.tif"))
            task = worker.take(wait_until)
            worker.report(
                task,
                {step: {} for step in task.run},
                {"ctf": {FIT.pattern: b"fit"}, "export": {AVERAGE.pattern: content}},
            )
            wait_until(lambda: worker.got(wire.Ok), what="its answer")

            def warned() -> bool:
                status = ask(client, wire.GetProcessing())
                return any("a.mrc: No space left" in text for text in status.warnings)

            wait_until(warned, what="a warning that says where")
            assert ask(client, wire.GetItem("a")).movie.status == "processing"
            wait_until(lambda: [path.name for path in small.path.iterdir()] == ["full"], what="no half file that stays")
        (small.path / "full").unlink()
        with process(site):
            wait_until(lambda: done(client) == 1, 60, what="the movie")
            assert outputs(site) == {"powerspectrum/a.json": b"fit"}
            assert (small.path / "a.mrc").read_bytes() == content
            wait_until(lambda: left_over(site) == [], what="nothing stays behind")
    client.close()
    worker.dealer.close()


def test_what_leases_of_an_earlier_run_have_left_goes_at_the_start(site: Site, wait_until: WaitUntil) -> None:
    worker = WorkerSide(site, "w")
    with site.running() as client:
        ask(client, files("a.tif"))
        task = worker.take(wait_until)
        stage(site.processing, task.lease, {"ctf": {SPECTRUM.pattern: b"half"}})
        worker.dealer.send(wire.Goodbye("w"))
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "unprocessed", what="the end of its lease")
        wait_until(lambda: left_over(site) == [], what="its folder goes with the lease")
    stage(site.processing, task.lease, {"ctf": {SPECTRUM.pattern: b"half"}})
    with site.running():
        wait_until(lambda: left_over(site) == [], what="what a dead worker has left")
    worker.dealer.close()
