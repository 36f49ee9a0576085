"""Parameters in the path and in the query, read by the types that the resources declare."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, get_origin

import falcon
import falcon.asgi
import msgspec
from msgspec import Meta, Struct

from warpcore.bus.limits import LONGEST_BY
from warpcore.services.access.credentials import PATTERN_END
from warpcore.services.api.checking import FaultsError, checked
from warpcore.services.api.errors import Problem

S = TypeVar("S", bound=Struct)

LARGEST_NUMBER = 10**9
"""Largest page, and largest number after which files or log lines are wanted."""

After = Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)]

By = Annotated[
    str,
    Meta(
        max_length=LONGEST_BY,
        pattern=rf"^[^\x00-\x1f\x7f-\x9f]*{PATTERN_END}",
        description="Who asks, for the history; empty: the API.",
    ),
]


class Query(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of query parameters: one field each, by its camel-case name. A list may be given several times."""


class NoParameters(Query, frozen=True):
    """No query parameters."""


def read_query(req: falcon.asgi.Request, kind: type[S]) -> S:
    """The query parameters. Raises Problem 400, which names each that is unknown, impossible or given twice."""
    lists = {field.encode_name for field in msgspec.structs.fields(kind) if _is_list(field.type)}
    values: dict[str, Any] = {}
    for name, value in req.params.items():
        if name in lists:
            values[name] = value if isinstance(value, list) else [value]
        elif isinstance(value, list):
            fault = {"name": name, "value": ",".join(value), "problem": "given more than once"}
            raise _bad_query(FaultsError([fault]))
        else:
            values[name] = value
    try:
        return checked(kind, values, strict=False)
    except FaultsError as error:
        raise _bad_query(error) from None


def path_value(name: str, value: str, kind: Any) -> Any:
    """A parameter in the path. Raises HTTPRouteNotFound for one that cannot be: there is nothing at such a path."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        raise falcon.HTTPRouteNotFound() from None


def _is_list(kind: Any) -> bool:
    plain = kind.__origin__ if get_origin(kind) is Annotated else kind
    return get_origin(plain) is list


def _bad_query(error: FaultsError) -> Problem:
    told = "; ".join(f"query parameter {one['name']} = {one['value']}: {one['problem']}" for one in error.faults)
    return Problem(falcon.HTTP_400, told, errors=error.faults)
