"""What all parts of a session's client share: requests whose answers are read by their types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from warpcore.services.client._errors import ClientError
from warpcore.services.client._http import Http, Query

T = TypeVar("T")

Settings = dict[str, dict[str, Any]]
_NUMBER = re.compile(r"~[1-9][0-9]*")


class Requests:
    """Requests to the API over `http`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def _get(self, path: str, kind: type[T], query: Query | None = None) -> T:
        return _read(self._http.get(path, query), kind)

    def _send(self, method: str, path: str, body: Any, kind: type[T], query: Query | None = None) -> T:
        return _read(self._http.send(method, path, body, query), kind)

    def _download(self, path: str, to: Path) -> None:
        """Write an answer to a file, which appears once it is whole. Raises OSError."""
        coming = to.with_name(f"{to.name}.part")
        with coming.open("wb") as out:
            out.writelines(self._http.pieces(path))
        coming.replace(to)


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a body that are not None."""
    return {name: value for name, value in body.items() if value is not None}


def address(name: str) -> str:
    """The address of a movie by its name, whatever it is, or by its number."""
    return f"/api/items/{name}" if _NUMBER.fullmatch(name) else f"/api/items/~/{part(name)}"


def part(value: str) -> str:
    """A value as one part of a path, with what divides paths in it."""
    return quote(value, safe="")


def _read(answer: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except (ValueError, RecursionError) as error:
        raise ClientError(f"the API's answer cannot be read ({error}); is it of the same version?") from None
