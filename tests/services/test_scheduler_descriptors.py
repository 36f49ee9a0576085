"""More silent connections than the scheduler may open files: it answers again, and says from where they came."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.keys import ClientKey, Holder
from warpcore.bus.messages import GetHealth, GetProcessing, ProcessingStatus
from warpcore.bus.vocabulary import Role
from warpcore.services.access.keys import add, init, read_key
from warpcore.services.access.places import Access

MOST_OPEN = 96
"""Open files of the scheduler in this test, of which it needs some 40 itself."""


def answer(endpoints: Endpoints, key: ClientKey) -> bool:
    """Whether a new peer is answered, and the session holds for nothing."""
    try:
        with RequestClient(endpoints.control, "test", timeout_s=3.0, attempts=1, key=key) as client:
            client.request(GetHealth())
            status = client.request(GetProcessing())
    except (NoAnswerError, RefusedError):
        return False
    assert isinstance(status, ProcessingStatus)
    return not status.holds


def test_a_flood_beyond_the_limit_of_open_files_passes(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]
) -> None:
    access, endpoints = Access(tmp_path / "access"), Endpoints("127.0.0.1", *free_ports(4))
    init(access)
    key = read_key(add(access, Holder("ada", Role.OPERATOR)))
    (tmp_path / "data").mkdir()
    names = ("controller", "control", "events-in", "events-out")
    given = (endpoints.controller_port, endpoints.control_port, endpoints.events_in_port, endpoints.events_out_port)
    ports = [word for name, port in zip(names, given, strict=True) for word in (f"--{name}-port", str(port))]
    folders = ["--data", tmp_path / "data", "--processing", tmp_path / "out", "--access", access.folder]
    limited = ["sh", "-c", f'ulimit -n {MOST_OPEN} && exec "$@"', "sh", sys.executable, "-m", "warpcore.cli.main"]
    with (tmp_path / "log").open("wb") as log:
        scheduler = subprocess.Popen([*limited, "scheduler", *folders, *ports], stdout=log, stderr=log)
    try:
        wait_until(lambda: answer(endpoints, key), 60, "the scheduler")
        with ExitStack() as flood:
            for _ in range(MOST_OPEN):
                flood.enter_context(socket.create_connection(("127.0.0.1", endpoints.control_port), 30))
            open_files = Path("/proc", str(scheduler.pid), "fd")
            wait_until(lambda: len(os.listdir(open_files)) >= MOST_OPEN - 1, 30, "a scheduler without free descriptors")
            told = "before a key was shown, the last: control, from 127.0.0.1"
            wait_until(lambda: told in (tmp_path / "log").read_text(), 60, "the line with the address")
            wait_until(lambda: answer(endpoints, key), 60, "an answer to a new peer while the flood stays connected")
        assert scheduler.poll() is None
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        scheduler.terminate()
        scheduler.wait(120)
