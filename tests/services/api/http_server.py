"""Our listener with gunicorn's protocol in a thread, behind it a small ASGI application, for tests with sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from warpcore.services.api.http.connections import Limits
from warpcore.services.api.http.listener import Listener

Send = Callable[[dict[str, Any]], Awaitable[None]]
LARGE = 1 << 25
BIG_PIECE = bytes(1 << 16)


async def application(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    """`/echo` answers with the length of the body, `/stream` has no end, `/big` has 64 MiB, `/large` 32 at once."""
    headers = [(b"content-type", b"text/plain")]
    length, more = 0, scope["path"] == "/echo"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    pieces, piece = {"/stream": (sys.maxsize, b"."), "/big": (1024, BIG_PIECE)}.get(scope["path"], (0, b""))
    for _ in range(pieces):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        if piece is not BIG_PIECE:
            await asyncio.sleep(0.02)
    if scope["path"] == "/large":
        await send({"type": "http.response.body", "body": bytes(LARGE), "more_body": True})
    await send({"type": "http.response.body", "body": str(length).encode()})


@dataclass(frozen=True)
class Server:
    """Where it listens, and gunicorn's worker, which counts its connections as `nr_conns`."""

    address: tuple[str, int]
    worker: Any


@contextmanager
def serving(limits: Limits, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server with these limits."""
    config = Config()
    config.set("keepalive", 60)
    loop = asyncio.new_event_loop()
    worker = SimpleNamespace(
        cfg=config, log=Logger(config), asgi=application, loop=loop, nr_conns=0, nr=0, max_requests=sys.maxsize
    )
    worker.alive, worker.state = True, {}
    with socket.create_server(("127.0.0.1", 0), backlog=512) as bound:
        listener = Listener(worker, bound, context, (), limits)
        thread = threading.Thread(target=_run, args=(loop, listener))
        thread.start()
        try:
            yield Server(bound.getsockname(), worker)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


def _run(loop: asyncio.AbstractEventLoop, listener: Listener) -> None:
    asyncio.set_event_loop(loop)
    loop.call_soon(listener.open)
    loop.run_forever()
    listener.close()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
