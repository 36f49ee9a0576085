"""Bodies that do not come, or break off: the head decides what it can, and nothing is done by half a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import falcon.asgi
import pytest
from falcon import testing

from warpcore.services.api import errors
from warpcore.services.api.bodies import MAX_BODY_BYTES, read_body
from warpcore.services.api.http.bodies import HeadsFirst, announces_body

JSON = {"Content-Type": "application/json"}
Event = dict[str, Any]


class _Resource:
    """Carries out what it is asked, also without a body."""

    def __init__(self) -> None:
        self.done: list[Event] = []

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        self.done.append(await read_body(req, dict, optional=True))


def pieces(*events: Event) -> Callable[[], Awaitable[Event]]:
    """What a client sends, and then nothing for ever."""
    left = list(events)

    async def receive() -> Event:
        return left.pop(0) if left else await asyncio.get_running_loop().create_future()

    return receive


def asked(headers: dict[str, str], *events: Event) -> tuple[int, list[Event]]:
    """The status of the answer to a POST, and what was carried out."""
    resource, statuses = _Resource(), []
    app: Any = falcon.asgi.App()
    app.set_error_serializer(errors.write_problem)
    app.add_route("/", resource)

    async def send(message: Event) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def run() -> None:
        async with asyncio.timeout(20):
            await HeadsFirst(app)(scope_of(headers), pieces(*events), send)

    asyncio.run(run())
    (status,) = statuses
    return status, resource.done


def scope_of(headers: dict[str, str]) -> dict[str, Any]:
    """Of a POST, its headers in the form in which gunicorn gives them."""
    scope = testing.create_scope(method="POST", headers=headers)
    return scope | {"headers": [tuple(one) for one in scope["headers"]]}


def piece(body: bytes, *, more: bool = True) -> Event:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def test_a_body_announced_as_too_large_is_refused_before_it_begins() -> None:
    assert asked(JSON | {"Content-Length": str(MAX_BODY_BYTES + 1)}, GONE) == (413, [])


@pytest.mark.parametrize(
    ("coding", "status"),
    [
        ({"Content-Length": "2", "Content-Encoding": "gzip"}, 415),
        ({"Content-Length": "2", "Content-Encoding": "Identity"}, 200),
        ({"Transfer-Encoding": "gzip, chunked"}, 501),
        ({"Transfer-Encoding": "Chunked"}, 200),
    ],
    ids=str,
)
def test_codings_that_are_not_undone_are_refused(coding: dict[str, str], status: int) -> None:
    assert asked(JSON | coding, piece(b"{}", more=False))[0] == status


@pytest.mark.parametrize("begun", [(), (piece(b""),), (piece(b"{}"),)], ids=["nothing", "empty", "an object"])
@pytest.mark.parametrize("framing", [{"Content-Length": "900"}, {"Transfer-Encoding": "chunked"}], ids=str)
def test_nothing_is_done_where_the_body_breaks_off(framing: dict[str, str], begun: tuple[Event, ...]) -> None:
    assert asked(JSON | framing, *begun, GONE) == (408, [])


def test_what_comes_of_a_body_after_its_refusal_is_taken_in() -> None:
    late = [piece(b"."), piece(b"."), piece(b".", more=False), GONE]
    left = pieces(*late)
    taken: list[Event] = []

    async def receive() -> Event:
        taken.append(await left())
        return taken[-1]

    async def refuse(*_: Any) -> None:
        pass

    asyncio.run(HeadsFirst(refuse)(scope_of({"Content-Length": "3"}), receive, None))
    assert taken == late[:-1]


def test_whole_bodies_come_through_in_any_pieces() -> None:
    text = b'{"a": 1}'
    for framing in ({"Content-Length": str(len(text))}, {"Transfer-Encoding": "chunked"}):
        for cut in range(len(text)):
            told = (piece(text[:cut]), piece(text[cut:], more=False), GONE)
            assert asked(JSON | framing, *told) == (200, [{"a": 1}])
    assert asked({"Content-Length": "0"}, piece(b"", more=False)) == (200, [{}])


@pytest.mark.parametrize(
    ("headers", "announced"),
    [({}, False), ({"Content-Length": "0"}, False), ({"Content-Length": "1"}, True), ({"Content-Length": "10"}, True)],
)
def test_what_announces_a_body(headers: dict[str, str], announced: bool) -> None:
    assert announces_body(scope_of(headers)) is announced
    assert not announces_body({"type": "lifespan"})
