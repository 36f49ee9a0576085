"""`warpcore export`: jobs listed, given up and deleted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files
from warpcore.bus import messages as wire

Command = Callable[..., Any]


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: WaitUntil) -> Iterator[Site]:
    """A session with one processed movie, and a worker that does what comes."""
    site = Site(tmp_path, free_ports(4))
    worker, stop = WorkerSide(site, "w"), threading.Event()

    def work() -> None:
        done = 0
        while not stop.wait(0.02):
            for task in worker.got(wire.AssignTask)[done:]:
                worker.finish(task)
                worker.dealer.send(wire.PullTasks("w", 1))
                done += 1

    with closing(worker.dealer), site.running() as client:
        ask(client, files("a.tif"))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 1))
        thread = threading.Thread(target=work)
        thread.start()
        try:
            wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed", what="the movie is done")
            yield site
        finally:
            stop.set()
            thread.join(10)


def test_a_job_is_started_listed_and_deleted_with_its_folder(site: Site, command: Command) -> None:
    def warpcore(*arguments: str) -> str:
        done = command("export", *arguments, "--control-port", str(site.endpoints.control_port))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert warpcore("micrographs", "--set", "halves=true") == "exports/job-1/a.xml\n"
    warpcore("micrographs", "--no-wait", "--set", "float16=true")
    first, second = json.loads(warpcore("list", "--json"))
    assert (first["job"], first["state"], first["folder"]) == ("job-1", "done", "exports/job-1")
    assert second["job"] == "job-2"
    shown = warpcore("list").splitlines()
    assert shown[1].split() == ["job-1", "micrographs", "done", "1/1", "-", "exports/job-1", "halves=True"]
    warpcore("cancel", "job-2")
    warpcore("delete", "job-1")
    assert not (site.processing / "exports/job-1").exists()
    assert [job["job"] for job in json.loads(warpcore("list", "--json"))] == ["job-2"]
    refused = command("export", "delete", "job-1", "--control-port", str(site.endpoints.control_port))
    assert (refused.returncode, "no export job is called 'job-1'" in refused.stderr) == (1, True)
