"""What each method of a resource takes and gives, declared once by the types of its signature.

Requests are read, answers written, and the OpenAPI document is made by these types:

    @operation(errors={404: "no worker has this name"})
    async def on_get(self, worker: WorkerName, query: LogsQuery) -> LogsView:
        '''The last lines of a worker's log. …'''

- `query`: a Struct, the query parameters. Unknown parameters are refused.
- `body`: a Struct or a map, the JSON body. An `optional_body` may be left out, which stands for `{}`.
- `req` and `resp`: falcon's, where more is needed: headers, streams. Headers that are read are `request_headers`.
- any other parameter stands in the path.
- the answer is written as JSON. A method that returns None has written `resp` itself, as one of its `media_types`:
  `-> None` where it always does, `-> SomeView | None` where it sometimes does, as for `?format=csv`.
- statuses without a problem document, such as 206 and 304, are `also`. Types that only a schema refers to by `$ref`
  are `refers_to`.

The docstring's first line is the summary, the rest the description.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_type_hints

import falcon
import falcon.asgi
import msgspec
from msgspec import Struct

from warpcore.services.api.bodies import read_body
from warpcore.services.api.checking import without_null
from warpcore.services.api.parameters import NoParameters, path_value, read_query

JSON = "application/json"
METHODS = ("get", "put", "post", "patch", "delete")

NONE: Mapping[Any, str] = MappingProxyType({})

Responder = Callable[..., Awaitable[None]]
_FALCON = ("req", "resp")
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method takes and gives. Each of `errors`, `also` and the headers has a sentence that says what it means.

    `answer` is the type of the JSON answer, None where there is none.
    """

    summary: str
    description: str
    path: Mapping[str, Any]
    query: type[Struct]
    body: Any | None
    optional_body: bool
    answer: Any | None
    status: int
    media_types: Sequence[str]
    errors: Mapping[int, str]
    also: Mapping[int, str]
    request_headers: Mapping[str, str]
    headers: Mapping[str, str]
    refers_to: Sequence[Any]


def operation(
    *,
    status: int = 200,
    media_types: Sequence[str] = (),
    optional_body: bool = False,
    errors: Mapping[int, str] = NONE,
    also: Mapping[int, str] = NONE,
    request_headers: Mapping[str, str] = NONE,
    headers: Mapping[str, str] = NONE,
    refers_to: Sequence[Any] = (),
) -> Callable[[Callable[..., Awaitable[Any]]], Responder]:
    """Decorator of `on_get` and its like: reads the request by the method's types and writes what it returns."""

    def decorate(method: Callable[..., Awaitable[Any]]) -> Responder:
        told = _declared(
            method,
            status=status,
            media_types=media_types,
            optional_body=optional_body,
            errors=errors,
            also=also,
            request_headers=request_headers,
            headers=headers,
            refers_to=refers_to,
        )
        falcons = [name for name in _FALCON if name in inspect.signature(method).parameters]

        @functools.wraps(method)
        async def respond(resource: object, req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
            given: dict[str, Any] = {name: path_value(name, path[name], kind) for name, kind in told.path.items()}
            query = read_query(req, told.query)
            if told.query is not NoParameters:
                given["query"] = query
            if told.body is not None:
                given["body"] = await read_body(req, told.body, optional=told.optional_body)
            given |= {name: value for name, value in zip(_FALCON, (req, resp), strict=True) if name in falcons}
            resp.status = told.status
            answer = await method(resource, **given)
            if answer is not None:
                resp.content_type = JSON
                resp.data = _ENCODER.encode(answer)

        respond.operation = told  # type: ignore[attr-defined]
        return respond

    return decorate


def operations_of(resource: object) -> dict[str, Operation]:
    """The operations of a resource by their HTTP methods in lower case. Raises TypeError for one that is undeclared."""
    found = {}
    for name in METHODS:
        responder = getattr(resource, f"on_{name}", None)
        if responder is not None:
            told = getattr(responder, "operation", None)
            if told is None:
                raise TypeError(f"{type(resource).__name__}.on_{name} is not declared by @operation")
            found[name] = told
    return found


def _declared(method: Callable[..., Any], **declared: Any) -> Operation:
    """The operation of a method: what its signature says, and what the decorator was given."""
    hints = get_type_hints(method, include_extras=True)
    answer = hints.pop("return")
    summary, _, description = inspect.cleandoc(method.__doc__ or "").partition("\n")
    return Operation(
        summary=summary,
        description=" ".join(description.split()),
        path={name: kind for name, kind in hints.items() if name not in ("query", "body", *_FALCON)},
        query=hints.get("query", NoParameters),
        body=hints.get("body"),
        answer=None if answer is type(None) else without_null(answer),
        **declared,
    )
