"""What one client may ask: by its name where it is signed in, else by its address."""

from __future__ import annotations

import asyncio
from typing import Any

import falcon.asgi
from falcon import testing

from warpcore.services.api import errors
from warpcore.services.api.http.buckets import Rate
from warpcore.services.api.http.rates import Counted, FairShares

NEVER = 1e-9
"""Requests a second that are as good as none."""


class _SignedIn:
    """Stands before the shares, as the middleware that reads tokens does."""

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        req.context.user = req.get_header("X-User") or ""


class _Resource:
    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = 0

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A stream that begins, and ends when the gate is opened."""
        resp.stream = self._pieces()

    async def _pieces(self) -> Any:
        self.begun += 1
        yield b"begin"
        await self.gate.wait()


def served(shares: FairShares, resource: object) -> Any:
    app: Any = falcon.asgi.App(middleware=[_SignedIn(), shares])
    app.set_error_serializer(errors.write_problem)
    app.add_route("/", resource)
    return app


def shares_of(burst: int, proxies: tuple[str, ...] = ()) -> Any:
    """An application with so many requests for each client, and nothing else."""
    return served(FairShares(proxies, rate=Rate(per_s=NEVER, burst=burst)), _Plain())


class _Plain:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Nothing."""


def statuses(app: Any, count: int, address: str, headers: dict[str, str] | None = None) -> list[int]:
    return [testing.simulate_get(app, "/", remote_addr=address, headers=headers).status_code for _ in range(count)]


def test_each_address_has_its_own_share() -> None:
    app = shares_of(2)
    assert statuses(app, 3, "10.0.0.1") == [200, 200, 429]
    assert statuses(app, 3, "10.0.0.2") == [200, 200, 429]
    answer = testing.simulate_get(app, "/", remote_addr="10.0.0.1")
    assert int(answer.headers["retry-after"]) > 0
    assert "10.0.0.1 asks too often" in answer.json["detail"]


def test_who_is_signed_in_has_its_share_from_any_address() -> None:
    app = shares_of(2)
    assert statuses(app, 3, "10.0.0.1", {"X-User": "ada"}) == [200, 200, 429]
    assert statuses(app, 1, "10.0.0.2", {"X-User": "ada"}) == [429]
    assert statuses(app, 1, "10.0.0.1", {"X-User": "eve"}) == [200], "others behind the same proxy pay for it"
    assert statuses(app, 1, "10.0.0.1") == [200]


def test_a_proxy_is_believed_what_it_has_seen_and_nobody_else() -> None:
    app = shares_of(1, proxies=("10.0.0.9",))
    assert statuses(app, 1, "10.0.0.9", {"X-Forwarded-For": "1.1.1.1"}) == [200]
    assert statuses(app, 1, "10.0.0.9", {"X-Forwarded-For": "7.7.7.7, 2.2.2.2"}) == [200]
    assert statuses(app, 1, "10.0.0.9", {"X-Forwarded-For": "8.8.8.8, 2.2.2.2"}) == [429], "made up"
    assert statuses(app, 1, "10.0.0.1", {"X-Forwarded-For": "3.3.3.3"}) == [200]
    assert statuses(app, 1, "10.0.0.1", {"X-Forwarded-For": "4.4.4.4"}) == [429]


def test_streams_count_until_they_end() -> None:
    asyncio.run(_streams())


async def _streams() -> None:
    resource = _Resource()
    shares = FairShares(most_at_once=2)
    app = Counted(served(shares, resource), shares)
    async with asyncio.timeout(30):
        running = [asyncio.create_task(_status(app, "10.0.0.1")) for _ in range(2)]
        while resource.begun < 2:
            await asyncio.sleep(0)
        assert await _status(app, "10.0.0.1") == 429
        running.append(asyncio.create_task(_status(app, "10.0.0.2")))
        while resource.begun < 3:
            await asyncio.sleep(0)
        resource.gate.set()
        assert await asyncio.gather(*running) == [200] * 3
        assert await _status(app, "10.0.0.1") == 200, "ended streams still count"


async def _status(app: Any, address: str) -> int:
    found: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(testing.create_scope(remote_addr=address), receive, send)
    return found[0]
