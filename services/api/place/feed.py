"""Squares as they change, for readers of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from warpcore.services.api.live import Feed
from warpcore.services.api.live.frames import COME_AGAIN, PING, frame
from warpcore.services.api.views import SquaresView, SquareView

QUIET_S = 10.0
"""A sign of life comes at least this often."""
PAUSE_S = 1.0
"""Squares are counted at most this often: at each moment many movies change at once."""

Squares = dict[tuple[str | None, str], SquareView]


async def changes(
    feed: Feed, look: Callable[[], SquaresView], holds: Callable[[], bool] = lambda: True
) -> AsyncIterator[bytes]:
    """First `squares` with all of them; then `square` for each that has changed, and all again where one has gone.

    It ends where `holds` says that the reader may read no longer.
    """
    yield PING + COME_AGAIN
    while not await feed.reached(0, QUIET_S):
        yield PING
    known: Squares | None = None
    while not feed.closed and holds():
        seen = feed.log.end
        view = await asyncio.to_thread(look)
        now = {(square.grid, square.square): square for square in view.squares}
        told = news(known, now, view)
        known = now
        if told:
            yield told
        await asyncio.sleep(PAUSE_S)
        while feed.log.end == seen and not feed.closed and holds():
            if not await feed.news(QUIET_S):
                yield PING


def news(known: Squares | None, now: Squares, view: SquaresView) -> bytes:
    """What a reader must be told who knows these squares; `known` None: nothing yet."""
    if known is None or known.keys() - now.keys():
        return frame("squares", view)
    return b"".join(frame("square", square) for key, square in now.items() if square != known.get(key))
