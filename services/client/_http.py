"""Requests over HTTP by the standard library: one connection each, errors as one line."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from warpcore.services.client._errors import ApiError, ClientError, UnreachableError

Query = Mapping[str, str | int | Iterable[str] | None]
"""Parameters by name. A list is sent once for each of its values; None and empty lists are not sent."""

_UNAVAILABLE = 503
_PIECE_BYTES = 1 << 20


class Http:
    """Requests to the API at `url`; paths are given as they are sent. `timeout_s`: longest silence within an answer."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s

    def get(self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """The answer's body. Raises ApiError, UnreachableError."""
        with self._opened(self._get(path, query, headers)) as answer:
            return answer.read()

    def pieces(self, path: str) -> Iterator[bytes]:
        """The answer's body piece by piece. Raises ApiError, UnreachableError."""
        with self._opened(self._get(path)) as answer:
            while piece := answer.read(_PIECE_BYTES):
                yield piece

    def lines(self, path: str, query: Query | None = None) -> Iterator[bytes]:
        """The answer's lines as they come. Raises ApiError, UnreachableError."""
        with self._opened(self._get(path, query)) as answer:
            yield from answer

    def send(self, method: str, path: str, body: Any = None) -> bytes:
        """The answer's body to a request with a JSON body. Raises ApiError, UnreachableError."""
        headers = {"Content-Type": "application/json"}
        request = Request(self._address(path), json.dumps(body or {}).encode(), headers, method=method)
        with self._opened(request) as answer:
            return answer.read()

    def _get(self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None) -> Request:
        return Request(self._address(path, query), headers=dict(headers or {}))

    def _address(self, path: str, query: Query | None = None) -> str:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return f"{self.url}{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")

    @contextmanager
    def _opened(self, request: Request) -> Iterator[IO[bytes]]:
        try:
            with urlopen(request, timeout=self._timeout_s) as answer:
                yield answer
        except HTTPError as error:
            with error:
                raise _problem(error.code, error.read()) from None
        except URLError as error:
            raise UnreachableError(f"no API answers at {self.url}: {_told(error.reason)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"the API at {self.url} ended or fell silent while it answered: {error}") from None


def _told(reason: object) -> object:
    return (reason.strerror or reason) if isinstance(reason, OSError) else reason


def _problem(status: int, body: bytes) -> ClientError:
    """The error in a problem document; of anything else, such as a proxy's page, the status alone."""
    try:
        document = json.loads(body)
        detail, errors = str(document["detail"]), list(document.get("errors", []))
    except (ValueError, TypeError, KeyError):
        detail, errors = f"HTTP status {status}, not from warpcore", []
    return UnreachableError(detail) if status == _UNAVAILABLE else ApiError(status, detail, errors)
