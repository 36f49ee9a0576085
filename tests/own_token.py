"""The token of who runs a session, as their own programs send it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import httpx

from warpcore.services.access.places import Access


class OwnToken(httpx.Auth):
    """Sends the token of who runs the session in this processing directory, once the session has made it."""

    def __init__(self, processing: Path) -> None:
        self._file = Access.of(None, processing).operator_token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """As httpx asks for it."""
        if self._file.exists():
            request.headers["Authorization"] = f"Bearer {self._file.read_text().strip()}"
        yield request
