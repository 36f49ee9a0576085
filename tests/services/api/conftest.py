"""A session for each module of tests of REST."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.services.api.rest_session import ALLOWED_ORIGIN, COUNTS, Api, WireWorker


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Api]:
    """A session with four movies, two of them in sub-folders, all but one processed."""
    ports = free_ports(5)
    with closing(Api(tmp_path_factory.mktemp("api"), ports, "--allow-origin", ALLOWED_ORIGIN)) as session:
        session.wait()
        session.register("a.tif", "grid1/a.tif", "grid 2/µ%.tif", "bad.tif")
        with closing(WireWorker(session.endpoints)):
            deadline = time.monotonic() + 10
            while session.http.get("/api/processing/status").json()["counts"] != COUNTS | {"failed": 1, "processed": 3}:
                assert time.monotonic() < deadline, session.http.get("/api/processing/status").text
            yield session
