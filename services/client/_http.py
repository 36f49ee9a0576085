"""Requests over HTTP by the standard library: one connection each, errors as one line."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from warpcore.services.client._errors import ApiError, ClientError, UnreachableError

Query = Mapping[str, str | int | Iterable[str] | None]
"""Parameters by name. A list is sent once for each of its values; None and empty lists are not sent."""

_UNAVAILABLE = 503
_TOO_OFTEN = 429
_LONGEST_WAIT_S = 10.0
_MOST_WAITS = 5
"""Times that a request is sent again which was refused since it came too often; nothing was done of it."""
_PIECE_BYTES = 1 << 20
_CERTIFICATE_ADVICE = {
    **dict.fromkeys((18, 19, 20, 21), "name the authority that issued it, as ca or --ca"),
    **dict.fromkeys((62, 64), "address it by a name that the certificate is for"),
}
"""What to do, by OpenSSL's X509_V_ERR_… (x509_vfy.h): self-signed or without its issuer; another name or address."""


class Http:
    """Requests to the API at `url`; paths are given as they are sent. `timeout_s`: longest silence within an answer.

    `token` is asked until it gives one, which is sent to this address alone, not to one that it redirects to.
    `authorities` is a PEM file of certificates that are trusted besides those of this host.
    """

    def __init__(
        self, url: str, timeout_s: float, token: Callable[[], str | None], authorities: Path | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._find_token = token
        self._token: str | None = None
        self._tls = _trusting(authorities)

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

    def send(self, method: str, path: str, body: Any = None, query: Query | None = None) -> bytes:
        """The answer's body to a request with a JSON body. Raises ApiError, UnreachableError."""
        headers = {"Content-Type": "application/json"}
        request = Request(self._address(path, query), json.dumps(body or {}).encode(), headers, method=method)
        with self._opened(request) as answer:
            return answer.read()

    def _get(self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None) -> Request:
        return Request(self._address(path, query), headers=dict(headers or {}))

    def _address(self, path: str, query: Query | None = None) -> str:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return f"{self.url}{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")

    def _answer(self, request: Request) -> IO[bytes]:
        """The answer, after some patience where the API says that requests come too often. Raises what urlopen does."""
        for _ in range(_MOST_WAITS):
            try:
                return self._sent(request)
            except HTTPError as error:
                if error.code != _TOO_OFTEN:
                    raise
                with error:
                    time.sleep(_wait_s(error.headers.get("Retry-After")))
        return self._sent(request)

    def _sent(self, request: Request) -> IO[bytes]:
        answer: IO[bytes] = urlopen(request, timeout=self._timeout_s, context=self._tls)
        return answer

    @contextmanager
    def _opened(self, request: Request) -> Iterator[IO[bytes]]:
        self._token = self._token or self._find_token()
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with self._answer(request) as answer:
                yield answer
        except HTTPError as error:
            with error:
                raise _problem(error.code, error.read()) from None
        except URLError as error:
            raise UnreachableError(f"no API answers at {self.url}: {_told(error.reason)}") from None
        except (OSError, http.client.HTTPException) as error:
            tls = "" if self.url.startswith("https:") else "; where it serves https, give https://"
            told = f"the API at {self.url} ended or fell silent while it answered: {error}{tls}"
            raise UnreachableError(told) from None


def _wait_s(told: str | None) -> float:
    """The seconds of `Retry-After`; a date there, as some proxies write, counts as the longest."""
    return min(float(told), _LONGEST_WAIT_S) if told and told.isdigit() else _LONGEST_WAIT_S


def _trusting(authorities: Path | None) -> ssl.SSLContext:
    """Raises ClientError where the file cannot be read."""
    context = ssl.create_default_context()
    try:
        if authorities is not None:
            context.load_verify_locations(authorities)
    except OSError as error:
        raise ClientError(f"{authorities} holds no certificates in PEM form that can be read: {error}") from None
    return context


def _told(reason: object) -> object:
    if isinstance(reason, ssl.SSLCertVerificationError):
        advice = _CERTIFICATE_ADVICE.get(reason.verify_code, "ask whoever runs it")
        return f"its certificate is refused, {reason.verify_message.rstrip('.')}; {advice}"
    return (reason.strerror or reason) if isinstance(reason, OSError) else reason


def _problem(status: int, body: bytes) -> ClientError:
    """The error in a problem document; of anything else, such as a proxy's page, the status alone."""
    try:
        document = json.loads(body)
        detail, errors = str(document["detail"]), list(document.get("errors", []))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        detail, errors = f"HTTP status {status}, not from warpcore", []
    return UnreachableError(detail) if status == _UNAVAILABLE else ApiError(status, detail, errors)
