"""`pool show` and `pool set` against a real scheduler."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, ask
from warpcore.bus import messages as wire
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.line import Ready


@pytest.fixture
def report() -> wire.ReportPool:
    return wire.ReportPool("gpu", "slurm", 0, 4, 3, 1, 2, 5, problems=["QOS limit"], log=["no CUDA device"])


def test_a_pool_is_shown_with_its_problems_and_gets_other_limits(
    tmp_path: Path, free_ports: Callable[[int], list[int]], command: Callable[..., Any], report: wire.ReportPool
) -> None:
    site = Site(tmp_path, free_ports(4))
    control = ("--control-port", str(site.endpoints.control_port))
    with site.running() as client:
        assert command("pool", "show", *control).stderr == "no pool reports\n"
        refused = command("pool", "set", "--max", "8", *control)
        assert (refused.returncode, "warpcore pool run" in refused.stderr) == (1, True)
        ask(client, report)
        shown = command("pool", "show", *control).stdout.splitlines()
        assert shown[0].startswith("pool gpu on slurm, heard ")
        assert shown[1:] == [
            "  workers: 0 registered, 3 wanted, 0 to 4, by its file",
            "  jobs: 2 run, 1 queued, 5 submitted in the last hour",
            "  problem: QOS limit",
            "  log: no CUDA device",
        ]
        done = command("pool", "set", "--max", "8", "--resume", *control)
        assert done.stderr == "pool gpu: 0 to 8 workers from its next look on\n"
        assert ask(client, report) == wire.PoolLimits(0, 8, 1, resume=True)
        assert "0 to 8 set; the pool has not taken that over yet" in command("pool", "show", *control).stdout
        (as_json,) = json.loads(command("pool", "show", "--json", *control).stdout)
        assert (as_json["maximum"], as_json["revision"]) == (8, 1)
        assert "pool gpu (slurm): workers: 0 registered, 3 wanted" in command("status", *control).stdout
        assert command("pool", "set", "--min", "9", *control).returncode == 1
        assert command("pool", "set", "--max", "-1", *control).returncode == 2


def test_a_pool_of_several_schedulers_is_refused_by_one_line(tmp_path: Path, command: Callable[..., Any]) -> None:
    run = ("pool", "run", str(tmp_path / "gpu.toml"), "--processing", str(tmp_path))
    refused = command(*run, "--scheduler", "head1", "--scheduler", "head2")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines() == [
        "warpcore: --scheduler is given 2 times (head1, head2): a pool and its workers serve one session; run a pool "
        "for each"
    ]


def test_a_worker_registers_with_the_job_that_it_is() -> None:
    identity = Identity("w", "1", "host", 1, "gpu/17")
    assert identity.registration(Ready("cpu", 0, {}), 1, [], "").pool == "gpu/17"
