"""`warpcore api` as a process without a scheduler and open to everyone: what concerns HTTP alone needs neither."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.services.api.rest_session import LONGEST_S, WARPCORE


@contextmanager
def lone_api(
    ports: list[int], wait_until: Callable[..., None], *options: str, certificate: Path | None = None
) -> Iterator[httpx.Client]:
    """A client of it once it answers; it trusts the certificate where one is given."""
    rest, control, events = ports
    ports_told = ["--port", str(rest), "--control-port", str(control), "--events-out-port", str(events)]
    server = subprocess.Popen([*WARPCORE, "api", "--insecure", *ports_told, *options])
    base = f"http://127.0.0.1:{rest}" if certificate is None else f"https://localhost:{rest}"
    trusted = True if certificate is None else ssl.create_default_context(cafile=certificate)
    with httpx.Client(base_url=base, verify=trusted, timeout=30) as client:

        def answers() -> bool:
            assert server.poll() is None, "the API has ended"
            try:
                return client.get("/api/columns").status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_until(answers, 30, "an answer of the API")
            yield client
        finally:
            server.terminate()
            server.wait(LONGEST_S)
