"""Answers from the mirror that are as new as the scheduler's own."""

from __future__ import annotations

from warpcore.bus.client import NoAnswerError
from warpcore.bus.messages import GetSummary, Summary
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.live import Feed

CATCH_UP_S = 3.0
"""Longest wait for the mirror to have what the scheduler has told already."""


async def caught_up(scheduler: Scheduler, feed: Feed) -> None:
    """Wait until the mirror holds all that was so when this was called. Raises NoAnswerError.

    So whoever has changed something and then lists movies sees the change.
    """
    seq = (await ask(scheduler, GetSummary(), Summary)).seq
    if not await feed.reached(seq, CATCH_UP_S):
        raise NoAnswerError(f"the API has not yet read the session up to change {seq}; ask again in a moment")
