"""Request bodies: JSON objects of limited size that fit the wire."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import falcon
import falcon.asgi

from warpcore.bus.envelope import MAX_FRAME_BYTES, Envelope, WireError, decode, encode
from warpcore.bus.vocabulary import Word
from warpcore.services.api.errors import Problem, bad_field

W = TypeVar("W", bound=Word)

MAX_BODY_BYTES = MAX_FRAME_BYTES // 2
"""Half a frame, since JSON text can grow as msgpack, but never to twice its size."""


async def read_object(req: falcon.asgi.Request, *, optional: bool = False) -> dict[str, Any]:
    """The request's JSON object; `{}` where it is optional and absent. Raises Problem 400, 413 or 415."""
    # A connection whose body was not read to its end cannot carry another request: it is closed.
    if req.content_length is not None and req.content_length > MAX_BODY_BYTES:
        raise _too_large()
    text = await req.stream.read(MAX_BODY_BYTES + 1)
    if len(text) > MAX_BODY_BYTES:
        raise _too_large()
    if not text and optional:
        return {}
    media_type = (req.content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem(falcon.HTTP_415, f"the body must be application/json, not {media_type or 'untyped'}")
    return parse_object(text)


def parse_object(text: bytes) -> dict[str, Any]:
    """A JSON object from UTF-8 bytes.

    Raises Problem 400 for anything else, for NaN, and for an object that does not fit the wire.
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
    return value


def only_fields(body: dict[str, Any], known: dict[str, type]) -> dict[str, Any]:
    """The body, whose fields must be known and of their type. Raises Problem 422, which names each fault."""
    errors = []
    for name, value in body.items():
        if name not in known:
            errors.append({"name": name, "value": value, "problem": f"unknown field; known here: {', '.join(known)}"})
        elif type(value) is not known[name]:
            errors.append({"name": name, "value": value, "problem": f"give {_TYPES[known[name]]}"})
    if errors:
        detail = "; ".join(f"{error['name']}: {error['problem']}" for error in errors)
        raise Problem(falcon.HTTP_422, detail, errors=errors)
    return body


def field_word(vocabulary: type[W], name: str, value: str | None) -> W:
    """The word of the vocabulary. Raises Problem 422, which lists the words."""
    try:
        return vocabulary(value or "")
    except ValueError:
        raise bad_field(name, value, f"give one of {', '.join(vocabulary)}") from None


def texts(name: str, values: list[Any]) -> list[str]:
    """The values of a field, each of which must be a text. Raises Problem 422."""
    for value in values:
        if not isinstance(value, str):
            raise bad_field(name, value, "each of them is a text")
    return values


def numbers(name: str, values: list[Any]) -> list[int]:
    """The values of a field, each of which must be a whole number. Raises Problem 422."""
    for value in values:
        if type(value) is not int:
            raise bad_field(name, value, "each of them is a whole number")
    return values


_TYPES = {bool: "true or false", dict: "an object", int: "a whole number", list: "a list", str: "a text"}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _too_large() -> Problem:
    return Problem(falcon.HTTP_413, f"the body is larger than {MAX_BODY_BYTES} bytes", headers={"Connection": "close"})
