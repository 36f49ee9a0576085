"""The Python client has a method for each operation of REST, or there is a reason why not."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.services.client.http_for_tests import Quiet, served
from warpcore.services.api.app import Dependencies, all_routes
from warpcore.services.api.client import SchedulerClient
from warpcore.services.api.openapi import document
from warpcore.services.client import ClientError, Session

WITHOUT = {
    "DELETE /api/sign-in": "a cookie of a browser; a program sends its token",
    "GET /api/docs": "a page to read",
    "GET /api/docs/style.css": "a part of that page",
    "GET /api/export/{job}": "an older name of GET /api/exports/{job}",
    "GET /api/health/live": "for probes, which need no token",
    "GET /api/metrics": "for Prometheus",
    "GET /api/openapi.json": "for makers of other clients",
    "GET /api/squares/events": "for the page; squares() tells the same when asked",
    "POST /api/items/{name}/retry": "retry(names=[name]) does it",
    "POST /api/sign-in": "a cookie of a browser; a program sends its token",
    "PUT /api/items/{name}/selection": "select(…, names=[name]) does it",
}
PICTURES = ("thumbnail", "average", "spectrum", "motion", "picks", "junk")
ARGUMENTS: dict[str, Any] = {
    **{"path": "a.mrc", "settings": {}, "changes": {}, "selection": "auto", "order": "normal"},
    **{"priority": 1, "change": type("Change", (), {"undo": "x"})()},
}
"""For parameters without a default; others get a name, with what divides the parts of an address in it."""


@contextmanager
def listening(heard: list[tuple[str, str]]) -> Iterator[str]:
    """A server that notes what it is asked for and answers with nothing of use."""

    class Handler(Quiet):
        def answer(self) -> None:
            heard.append((self.command, urlsplit(self.path).path))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    with served(Handler) as address:
        yield address


def calls(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each public method of the client that asks something, with arguments."""
    for name, method in inspect.getmembers(Session, inspect.isfunction):
        if name.startswith("_") or name in ("wait_until_done", "newer"):  # these ask as others do
            continue
        needed = [
            one.name
            for one in inspect.signature(method).parameters.values()
            if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD and one.name != "self"
        ]
        values = {one: folder / "file" if one == "to" else ARGUMENTS.get(one, "o/n?e") for one in needed}
        values |= {"fields": ["name"]} if name == "records" else {}
        for kind in {"picture": PICTURES, "try_picture": PICTURES, "start_export": ("micrographs", "particles")}.get(
            name, ("",)
        ):
            yield name, values | ({"kind": kind} if kind else {})


def asked_by_client(folder: Path) -> list[tuple[str, str]]:
    """Method and path of every request that the client can make."""
    heard: list[tuple[str, str]] = []
    with listening(heard) as url:
        session = Session(url, token="wct_1_2")
        for name, values in calls(folder):
            before = len(heard)
            with suppress(ClientError):
                found = getattr(session, name)(**values)
                if inspect.isgenerator(found):
                    next(found, None)
            assert len(heard) > before, f"{name} asks nothing"
    return heard


def pattern(path: str) -> re.Pattern[str]:
    """Paths of an operation. A movie's name is sent as `~/NAME`; a slash in any other value is sent as %2F."""
    value = {"{name}": r"(~/)?[^/]+" if path.startswith("/api/items/") else r"[^/]+"}
    parts = re.split(r"(\{\w+\})", path)
    return re.compile("".join(value.get(one, r"[^/]+") if one.startswith("{") else re.escape(one) for one in parts))


def operations() -> dict[str, re.Pattern[str]]:
    """All operations of REST: the paths of each."""
    told = document(all_routes(Dependencies(SchedulerClient("tcp://never-opened"))), "")["paths"]
    return {f"{method.upper()} {path}": pattern(path) for path, methods in told.items() for method in methods}


def operation_of(asked: tuple[str, str], known: dict[str, re.Pattern[str]]) -> str | None:
    """The operation that a request is for: the one with the fewest parameters in its path."""
    method, path = asked
    fit = [name for name, paths in known.items() if name.startswith(f"{method} ") and paths.fullmatch(path)]
    return min(fit, key=lambda name: name.count("{"), default=None)


def test_each_operation_has_a_method_or_a_reason_why_not(tmp_path: Path) -> None:
    known = operations()
    asked = {one: operation_of(one, known) for one in asked_by_client(tmp_path)}
    reached = set(asked.values())
    assert [one for one, operation in asked.items() if operation is None] == [], "REST has no such operation"
    assert set(known) - reached - set(WITHOUT) == set(), "no method of the client, and no reason in WITHOUT"
    assert set(WITHOUT) <= set(known) - reached, "a reason for what is no operation, or has a method"
