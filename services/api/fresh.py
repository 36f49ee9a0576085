"""Answers from the mirror that are as new as the scheduler's own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from warpcore.bus.client import NoAnswerError
from warpcore.bus.messages import GetSummary, Summary
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.filtering import Filter, matching

CATCH_UP_S = 3.0
"""Longest wait for the mirror to have what the scheduler has told already."""


async def caught_up(scheduler: Scheduler, feed: Feed) -> None:
    """Wait until the mirror holds all that was so when this was called. Raises NoAnswerError.

    So whoever has changed something and then lists movies sees the change.
    """
    seq = (await ask(scheduler, GetSummary(), Summary)).seq
    if not await feed.reached(seq, CATCH_UP_S):
        raise NoAnswerError(f"the API has not yet read the session up to change {seq}; ask again in a moment")


async def ids_matching(scheduler: Scheduler, mirror: Mirror, feed: Feed, filters: Sequence[Filter]) -> list[int]:
    """The numbers of all movies that fit these filters now, in order. Raises NoAnswerError."""
    await caught_up(scheduler, feed)

    def find() -> list[int]:
        copied = mirror.copied({one.column.source for one in filters})
        ids: list[int] = copied.ids[np.flatnonzero(matching(copied, filters))].tolist()
        return ids

    return await asyncio.to_thread(find)
