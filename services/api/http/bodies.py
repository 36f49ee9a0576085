"""Requests are judged by their heads, before their bodies are there; one whose body breaks off is not carried out."""

from __future__ import annotations

from typing import Any

import falcon

from warpcore.services.api.errors import Problem
from warpcore.services.api.http.rates import Application


class HeadsFirst:
    """An ASGI application that is asked as soon as a head is there.

    Falcon waits for the first piece of a body before it looks at a request, and takes a body that breaks off for a
    whole one. So it is given an empty first piece, and a body without its end as an error.

    What of a body is not there when the answer is sent is taken in and dropped, as long as the listener lets it come:
    to close a connection that still brings some would take the answer from its client (RFC 9112, section 9.6).
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI."""
        if not announces_body(scope):
            await self._app(scope, receive, send)
            return
        pieces = _Pieces(receive)
        await self._app(scope, pieces.next, send)
        await pieces.drop()


def announces_body(scope: dict[str, Any]) -> bool:
    """Whether the head of a request says that a body follows."""
    headers = dict(scope["headers"]) if scope["type"] == "http" else {}
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0") != b""


class _Pieces:
    """The pieces of one body, an empty one before them."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._begun = self._ended = self._broke_off = False

    async def next(self) -> dict[str, Any]:
        """The next event. Raises Problem 408 where the client goes, or gunicorn gives it up, within the body."""
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": True}
        event = await self._received()
        if self._broke_off:
            raise Problem(falcon.HTTP_408, "the body of the request did not come to its end")
        return event

    async def drop(self) -> None:
        """Take in what is left of the body."""
        while not (self._ended or self._broke_off):
            await self._received()

    async def _received(self) -> dict[str, Any]:
        event: dict[str, Any] = await self._receive()
        if event["type"] == "http.disconnect":
            self._broke_off = not self._ended
        elif not event.get("more_body", False):
            self._ended = True
        return event
