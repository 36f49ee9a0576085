"""Request bodies: JSON objects of limited size that fit the wire, read by the types that the resources declare."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

import falcon
import falcon.asgi
from msgspec import Struct

from warpcore.bus.envelope import MAX_FRAME_BYTES, Envelope, WireError, decode, encode
from warpcore.services.api.checking import FaultsError, checked
from warpcore.services.api.errors import Problem

MAX_BODY_BYTES = MAX_FRAME_BYTES // 2
"""Half a frame, since JSON text can grow as msgpack, but never to twice its size."""


class Body(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of request bodies."""


async def read_body(req: falcon.asgi.Request, kind: Any, *, optional: bool) -> Any:
    """The body as a `kind`, a Struct or a plain map. Without an `optional` one it is `{}`.

    Raises Problem 400, 413, 415, 501, and 422 which names each fault.
    """
    text = await _read_text(req)
    if not text and optional:
        text = b"{}"
    else:
        _check_media_type(req)
    value = parse_object(text)
    kind = getattr(kind, "__origin__", kind)  # what Annotated adds is for the document
    if not (isinstance(kind, type) and issubclass(kind, Struct)):
        return value
    try:
        return checked(kind, value)
    except FaultsError as error:
        raise Problem(falcon.HTTP_422, str(error), errors=error.faults) from None


def parse_object(text: bytes) -> dict[str, Any]:
    """A JSON object from UTF-8 bytes.

    Raises Problem 400 for anything else, for NaN, and for an object that does not fit the wire; 422 for numbers
    that are infinite here, which no answer, event or file could say.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Problem(falcon.HTTP_400, f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Problem(falcon.HTTP_400, f"the body must be a JSON object, not {type(value).__name__}")
    try:
        decode(encode(Envelope("check", {"body": value}, "api")))
    except (WireError, OverflowError, ValueError) as error:
        raise Problem(falcon.HTTP_400, f"the body does not fit the wire: {error}") from None
    problem = "is too large for a number"
    faults = [{"name": place, "value": number, "problem": problem} for place, number in _infinite(value)]
    if faults:
        raise Problem(falcon.HTTP_422, f"{faults[0]['name']} {problem}", errors=faults)
    return value


async def _read_text(req: falcon.asgi.Request) -> bytes:
    _check_codings(req)
    # A connection whose body was not read to its end cannot carry another request: it is closed.
    if req.content_length is not None and req.content_length > MAX_BODY_BYTES:
        raise _too_large()
    text: bytes = await req.stream.read(MAX_BODY_BYTES + 1)
    if len(text) > MAX_BODY_BYTES:
        raise _too_large()
    return text


def _check_codings(req: falcon.asgi.Request) -> None:
    """Bodies are taken as they are: a compressed one is told to be so, and not read as damaged JSON."""
    transfer = (req.get_header("Transfer-Encoding") or "chunked").strip().lower()
    if transfer != "chunked":
        raise Problem(falcon.HTTP_501, f"a body comes chunked or at once, not as {transfer[:80]}")
    content = (req.get_header("Content-Encoding") or "identity").strip().lower()
    if content != "identity":
        raise Problem(falcon.HTTP_415, f"the body must not be encoded, and is {content[:80]}")


def _check_media_type(req: falcon.asgi.Request) -> None:
    media_type = (req.content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem(falcon.HTTP_415, f"the body must be application/json, not {media_type or 'untyped'}")


def _infinite(value: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Numbers that JSON can say and no number here holds, such as `1e999`, by the dotted names of their places."""
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        place, one = left.pop()
        if isinstance(one, dict | list):
            inside = one.items() if isinstance(one, dict) else enumerate(one)
            left += [(f"{place}.{name}" if place else str(name), each) for name, each in inside]
        elif isinstance(one, float) and not math.isfinite(one):
            yield place, one


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _too_large() -> Problem:
    return Problem(falcon.HTTP_413, f"the body is larger than {MAX_BODY_BYTES} bytes", headers={"Connection": "close"})
