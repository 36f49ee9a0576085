"""What can go wrong for a client."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Base of all errors of a client."""


class UnreachableError(ClientError):
    """There is no API at the address, it ended while it answered, or the scheduler behind it does not answer (503)."""


class ApiError(ClientError):
    """The API refused a request. The text is its one line; `errors` has `{name, value, problem}` for each bad value."""

    def __init__(self, status: int, detail: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = errors
