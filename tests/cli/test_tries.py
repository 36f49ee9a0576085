"""`warpcore try` against a real scheduler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files
from warpcore.bus import messages as wire


def test_a_try_is_shown_beside_the_present_results(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: WaitUntil
) -> None:
    site = Site(tmp_path, free_ports(4))
    worker = WorkerSide(site, "w")
    with site.running() as client:
        ask(client, files("a.tif"))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 1))
        wait_until(lambda: worker.got(wire.AssignTask), what="the movie's own task")
        worker.finish(worker.got(wire.AssignTask)[0])
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed", what="its end")
        command = [sys.executable, "-m", "warpcore.cli.main", "try", "a", "--set", "ctf.range_max=5"]
        command += ["--set", 'filter.limits={"ctf.resolution_angstrom": [5, null]}']
        command += ["--control-port", str(site.endpoints.control_port)]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: len(worker.got(wire.AssignTask)) > 1, 30, what="the try's task")
        task = worker.got(wire.AssignTask)[1]
        assert (task.run, Path(task.processing_directory)) == (["ctf", "export"], site.processing)
        worker.finish(task)
        out, told = program.communicate(timeout=120)
    worker.dealer.close()
    assert program.returncode == 0
    assert [line.split() for line in out.splitlines()] == [
        ["column", "unit", "now", "tried"],
        ["ctf.resolution_angstrom", "Å", "4.00", "4.00"],
    ]
    assert told.splitlines() == [
        "resolution 4 Å is below 5",
        f"{task.purpose}: files in .warpcore/tries/{task.purpose} of the processing directory",
    ]
