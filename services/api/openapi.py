"""The OpenAPI document, made from the operations that the resources declare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from warpcore.bus.vocabulary import Word
from warpcore.services.access.credentials import TokenRole
from warpcore.services.api.access.rules import needed_role
from warpcore.services.api.checking import without_null
from warpcore.services.api.errors import PROBLEM_JSON, STATUS_MEANINGS, ProblemDocument
from warpcore.services.api.operations import JSON, Operation, operations_of
from warpcore.services.api.settings import SETTINGS_SCHEMA
from warpcore.services.api.views import results_schemas

_REFERENCE = "#/components/schemas/{name}"
_ALWAYS = (400, 421, 429, 500, 502, 503)
_CHANGES = ("put", "post", "patch", "delete")
_TOKEN = "token"
_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of `warpcore tokens add`. The page has the cookie of `POST /api/sign-in` in its place.",
}


def document(routes: Mapping[str, object], version: str, *, is_open: bool = False) -> dict[str, Any]:
    """The OpenAPI 3.1 document of what lies below `/api`, by path; `version` is warpcore's.

    `is_open`: no token is needed for anything.
    """
    told = {path: operations_of(resource) for path, resource in routes.items() if path.startswith("/api/")}
    schemas = _Schemas(one for operations in told.values() for one in operations.values())
    guarded: dict[str, Any] = {} if is_open else {"security": [{_TOKEN: []}]}
    return guarded | {
        "openapi": "3.1.0",
        "info": {
            "title": "warpcore",
            "version": version,
            "description": "Live cryo-EM movie processing. Names are in camelCase; settings keep the names that files "
            "and the command line use (`ctf.range_max`).",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            plain_path(path): {
                method: _operation(path, method, one, schemas, is_open=is_open) for method, one in operations.items()
            }
            for path, operations in sorted(told.items())
        },
        "components": {"schemas": schemas.components, "securitySchemes": {} if is_open else {_TOKEN: _SCHEME}},
    }


def plain_path(path: str) -> str:
    """`/api/items/{name:path}/retry` → `/api/items/{name}/retry`."""
    return path.replace(":path}", "}")


class _Schemas:
    """The JSON Schemas of all types of some operations."""

    def __init__(self, operations: Iterator[Operation]) -> None:
        kinds = (kind for one in operations for kind in (one.body, one.answer, *one.refers_to, *_fields(one)))
        order = [kind for kind in dict.fromkeys([*kinds, ProblemDocument]) if kind is not None]
        schemas, components = msgspec.json.schema_components(order, ref_template=_REFERENCE)
        self._of = dict(zip(order, schemas, strict=True))
        components |= _vocabularies(components) | _settings() | results_schemas()
        self.components = dict(sorted(components.items()))

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type."""
        schema: dict[str, Any] = self._of[kind]
        return schema


def _fields(told: Operation) -> list[Any]:
    return [*told.path.values(), *(without_null(one.type) for one in msgspec.structs.fields(told.query))]


def _vocabularies(components: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of vocabularies with the meanings of their words, and in their order."""
    return {
        kind.__name__: {
            **components[kind.__name__],
            "enum": list(map(str, kind)),
            "description": " ".join([kind.__doc__ or "", *(f"`{word}`: {word.meaning}" for word in kind)]),
        }
        for kind in Word.__subclasses__()
        if kind.__name__ in components
    }


def _settings() -> dict[str, Any]:
    """The settings' schema, which pydantic makes, in the names of this document."""
    text = msgspec.json.encode(SETTINGS_SCHEMA).replace(b"#/$defs/", b"#/components/schemas/")
    whole = msgspec.json.decode(text)
    parts: dict[str, Any] = whole.pop("$defs")
    return parts | {"Settings": whole}


def _operation(path: str, method: str, told: Operation, schemas: _Schemas, *, is_open: bool) -> dict[str, Any]:
    role = None if is_open else needed_role(method.upper(), path)
    shown: dict[str, Any] = {
        "operationId": _identifier(path, method),
        "tags": [path.split("/")[2].removesuffix(".json")],
        "summary": told.summary,
        "parameters": [*_path_parameters(told, schemas), *_query_parameters(told, schemas), *_header_parameters(told)],
        "responses": _responses(method, role, told, schemas),
    }
    if role is not None:
        shown["x-role"] = str(role)
    elif not is_open:
        shown["security"] = []
    if told.description:
        shown["description"] = told.description
    if told.body is not None:
        content = {JSON: {"schema": schemas.of(told.body)}}
        shown["requestBody"] = {"required": not told.optional_body, "content": content}
    return shown


def _identifier(path: str, method: str) -> str:
    words = re.findall(r"\w+", plain_path(path).removeprefix("/api"))
    return method + "".join(word[:1].upper() + word[1:] for word in words)


def _path_parameters(told: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    for name, kind in told.path.items():
        yield _parameter(name, "path", schemas.of(kind), required=True)


def _query_parameters(told: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    for one in msgspec.structs.fields(told.query):
        schema = schemas.of(without_null(one.type))
        if one.default is not msgspec.NODEFAULT and one.default is not None:
            schema = {**schema, "default": msgspec.to_builtins(one.default)}
        yield _parameter(one.encode_name, "query", schema, required=one.required)


def _header_parameters(told: Operation) -> Iterator[dict[str, Any]]:
    for name, text in told.request_headers.items():
        yield _parameter(name, "header", {"type": "string", "description": text}, required=False)


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    description = schema.get("description", "")
    schema = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": place, "required": required, "schema": schema, "description": description}


def _responses(method: str, role: TokenRole | None, told: Operation, schemas: _Schemas) -> dict[str, Any]:
    content = {JSON: {"schema": schemas.of(told.answer)}} if told.answer is not None else {}
    good: dict[str, Any] = {"description": told.summary, "content": content | {one: {} for one in told.media_types}}
    if told.headers:
        good["headers"] = {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in told.headers.items()
        }
    problems = {status: STATUS_MEANINGS[status] for status in _statuses(method, role, told)} | dict(told.errors)
    content = {PROBLEM_JSON: {"schema": schemas.of(ProblemDocument)}}
    return {
        str(told.status): good,
        **{str(status): {"description": text} for status, text in told.also.items()},
        **{str(status): {"description": text, "content": content} for status, text in sorted(problems.items())},
    }


def _statuses(method: str, role: TokenRole | None, told: Operation) -> Iterator[int]:
    yield from _ALWAYS
    if role is not None:
        yield 401
    if method in _CHANGES or role is TokenRole.OPERATE:
        yield 403
    if told.path:
        yield 404
    if told.body is not None:
        yield from (413, 415, 422)
