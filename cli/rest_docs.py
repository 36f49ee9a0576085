"""The tables of `docs/rest.md`, from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from warpcore.cli.generated_docs import table
from warpcore.services.api.app import Dependencies, all_routes
from warpcore.services.api.bodies import MAX_BODY_BYTES
from warpcore.services.api.checking import schema_in_words
from warpcore.services.api.client import SchedulerClient
from warpcore.services.api.errors import STATUS_MEANINGS
from warpcore.services.api.http.connections import Limits
from warpcore.services.api.http.guarded import MAX_HEAD_BYTES
from warpcore.services.api.http.rates import MOST_AT_ONCE, REQUESTS
from warpcore.services.api.openapi import document
from warpcore.services.api.server import KEEP_ALIVE_S
from warpcore.services.api.settings import SETTINGS_SCHEMA
from warpcore.services.api.views import results_schemas


@cache
def _document() -> dict[str, Any]:
    return document(all_routes(Dependencies(SchedulerClient("tcp://never-opened"))), "")


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in _document()["paths"].items():
        for method, told in methods.items():
            yield f"`{method.upper()} {path}`", told


def requests_table() -> str:
    """Every request: what it does, what it takes and gives, and which role of a token it needs."""
    rows = []
    for request, told in _operations():
        does = " ".join(part for part in (told["summary"], told.get("description", "")) if part)
        takes = [f"`{one['name']}`" for one in told["parameters"] if one["in"] == "query"]
        takes += [f"body: {_content(told['requestBody'])}"] if "requestBody" in told else []
        status, answer = next(iter(told["responses"].items()))
        gives = f"{'' if status == '200' else f'{status}: '}{_content(answer)}"
        rows.append([request, does, ", ".join(takes), gives, told.get("x-role", "none")])
    return table(("request", "does", "takes", "gives", "role"), rows)


def types_table() -> str:
    """The fields of what stands in bodies and answers; results and settings have documents of their own."""
    elsewhere = {"Settings", *SETTINGS_SCHEMA["$defs"], *results_schemas()}
    rows = (
        (f"`{name}`", schema["description"], ", ".join(f"`{field}`" for field in schema["properties"]))
        for name, schema in _schemas().items()
        if "properties" in schema and name not in elsewhere
    )
    return table(("type", "is", "fields"), rows)


def parameters_table() -> str:
    """Every query parameter with its values."""
    rows = []
    for request, told in _operations():
        for one in told["parameters"]:
            schema = one["schema"]
            if one["in"] == "query" and len(schema.get("enum", ())) <= 20:
                default = f"`{schema['default']}`" if "default" in schema else ""
                value = schema_in_words(schema, _schemas())
                rows.append([request, f"`{one['name']}`", value, default, one["description"]])
    return table(("request", "parameter", "value", "default", "meaning"), rows)


def connections_table() -> str:
    """What connections and clients may take, from the figures by which the API refuses more."""
    limits = Limits()
    rows = [
        ("head of a request", f"{limits.head_s:g} s, with the handshake of TLS; {MAX_HEAD_BYTES} bytes; then 408, 431"),
        ("body of a request", f"{MAX_BODY_BYTES} bytes, else 413; {limits.body_s:g} s, then 408"),
        (
            "answer",
            f"as long as it takes, also streams; closed where the client takes nothing for {limits.stalled_s:g} s",
        ),
        ("connection without a request", f"{KEEP_ALIVE_S} s"),
        ("connections", f"{limits.most} of a process, {limits.most_of_one} of one address, or one /64 of IPv6"),
        ("requests of one client", f"{REQUESTS.per_s:g} a second, {REQUESTS.burst:g} after a pause, else 429"),
        ("requests of one client in work", f"{MOST_AT_ONCE} with streams of events, else 429"),
    ]
    return table(("what", "limit"), rows)


def statuses_table() -> str:
    """What each status of an error means."""
    return table(("status", "means"), ((str(status), text) for status, text in STATUS_MEANINGS.items()))


def _content(told: dict[str, Any]) -> str:
    """The type of a body or an answer, or its media type."""
    contents = told["content"].items()
    return " or ".join(f"`{_type(one['schema'])}`" if "schema" in one else media_type for media_type, one in contents)


def _type(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"[{_type(schema['items'])}]"
    return str(schema.get("$ref", "object").rpartition("/")[2])


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = _document()["components"]["schemas"]
    return schemas
