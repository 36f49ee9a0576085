"""REST of a real session, tried by schemathesis with what its OpenAPI document allows and does not allow."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.api.rest_session import Api, with_movies
from warpcore.services.access.operator import ensure_operator
from warpcore.services.access.places import Access

_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@contextmanager
def session_to_try(folder: Path, ports: list[int]) -> Iterator[Api]:
    """A session with four movies whose REST wants tokens: what is tried without one must be refused."""
    access = Access(folder / "access")
    ensure_operator(access, "ada@lab", time.time())
    with with_movies(Api(folder, ports, access=access)) as api:
        yield api


def try_operations(api: Api, folder: Path, *options: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Try all operations, some of which have an export job to ask for; `options` are those of `schemathesis run`."""
    api.http.post("/api/export/micrographs", json={"names": ["a"]}).raise_for_status()
    program = Path(sysconfig.get_path("scripts")) / "schemathesis"
    url = f"{api.http.base_url}/api/openapi.json"
    authorization = f"Authorization: {api.http.headers['Authorization']}"
    return subprocess.run(
        [program, "--config-file", _CONFIGURATION, "run", url, "--header", authorization, *options],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
