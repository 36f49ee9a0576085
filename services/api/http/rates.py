"""How much one client may ask: so often, and so much at once. Signed in, a client is its name, else its address."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import falcon
import falcon.asgi

from warpcore.services.api.errors import Problem
from warpcore.services.api.http.buckets import Buckets, Rate
from warpcore.services.api.http.connections import client_of

REQUESTS = Rate(per_s=500, burst=5000)
"""Requests of one client. The live page asks some 50 when it opens and one for each picture that it shows: turning the
wheel without a pause over the gallery of 10 000 movies sends 480 in the worst second, 280 a second over 12 s (measured
in Chromium). A request that finds nothing takes 0.1 ms of a core, so that 500 a second leave room for others."""
MOST_AT_ONCE = 400
"""Requests of one client in work at the same time: streams of events, downloads, pictures that wait to be made. A page
holds one or two streams, so that 200 people may share an address or the token of a link."""
TELL_EVERY_S = 10.0

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

_PLACE = "warpcore.client"
"""Where the client stands in the scope of a request, from when it is known."""

log = logging.getLogger(__name__)


class FairShares:
    """Refuses with 429 what a client asks beyond its share. Stands behind the middleware that knows who is signed in.

    `proxies`: addresses whose `X-Forwarded-For` is believed.
    """

    def __init__(self, proxies: Collection[str] = (), rate: Rate = REQUESTS, most_at_once: int = MOST_AT_ONCE) -> None:
        self._proxies = frozenset(map(client_of, proxies))
        self._buckets = Buckets(rate)
        self._most_at_once = most_at_once
        self._at_once: Counter[str] = Counter()
        self._told_at = float("-inf")

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises Problem 429. Nothing has been done of a request that it refuses."""
        client = _client(req, self._proxies)
        wait_s = self._buckets.take(client, time.monotonic())
        if wait_s:
            raise self._refusal(client, "asks too often", math.ceil(wait_s))
        if self._at_once[client] >= self._most_at_once:
            raise self._refusal(client, f"has {self._most_at_once} requests in work; close some", 5)
        if req.scope.get(_PLACE, client) is None:  # one that was counted before it was known who asks counts once
            self._at_once[client] += 1
            req.scope[_PLACE] = client

    @contextmanager
    def counted(self, scope: dict[str, Any]) -> Iterator[None]:
        """While a request is in work, to the end of its answer."""
        scope[_PLACE] = None
        try:
            yield
        finally:
            client = scope[_PLACE]
            if client is not None:
                self._at_once[client] -= 1
                if not self._at_once[client]:
                    del self._at_once[client]

    def _refusal(self, client: str, what: str, after_s: int) -> Problem:
        now = time.monotonic()
        if now - self._told_at > TELL_EVERY_S:
            self._told_at = now
            log.warning("REST: %s %s; it is refused with 429", client, what)
        return Problem(
            falcon.HTTP_429, f"{client} {what}; ask again in {after_s} s", headers={"Retry-After": str(after_s)}
        )


class Counted:
    """An ASGI application whose requests count from begin to end, also while a stream is sent."""

    def __init__(self, app: Application, shares: FairShares) -> None:
        self._app = app
        self._shares = shares

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI."""
        with self._shares.counted(scope):
            await self._app(scope, receive, send)


def _client(req: falcon.asgi.Request, proxies: Collection[str]) -> str:
    """The name that is signed in; else the address, behind a proxy that is believed the one that it tells."""
    user = getattr(req.context, "user", "")
    if user:
        return f"user {user}"
    address = client_of(req.remote_addr)
    return client_of(forwarded_for(req.get_header("X-Forwarded-For")) or address) if address in proxies else address


def forwarded_for(header: str | None) -> str:
    """The last address in `X-Forwarded-For`: what the proxy itself has seen. Those before it are the client's words."""
    return (header or "").rpartition(",")[2].strip()
