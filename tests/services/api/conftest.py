"""A session for each module of tests of REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.services.api.rest_session import ALLOWED_ORIGIN, Api, with_movies


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Api]:
    """A session with four movies, two of them in sub-folders, all but one processed; REST is open."""
    with with_movies(Api(tmp_path_factory.mktemp("api"), free_ports(5), "--allow-origin", ALLOWED_ORIGIN)) as session:
        yield session
