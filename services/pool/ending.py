"""The end of all jobs of a pool, where they are to end with its session."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from warpcore.services.pool import core
from warpcore.services.pool.hands import Hands
from warpcore.services.pool.jobs import Cancel, Gone, Look, Pool

log = logging.getLogger("warpcore.pool")

LOOK_S = 1.0
"""Time between two looks at jobs that are to end, at most."""
CALL_SHARE = 0.25
"""Of the time that there is, one call may take so much: what meets a server that starts may hang, and others not."""
REVOKING_S = 2.0
"""How long the end waits for the revoking of keys."""


def end_jobs(pool: Pool, hands: Hands, *, look_s: float, within_s: float, meanwhile: Callable[[], None]) -> None:
    """Cancel all jobs, again until each is seen to have ended, for `within_s` at most. What is left is logged.

    `meanwhile` is called all the time: the scheduler is to hear of the pool until it has ended.
    """
    deadline, call_s = time.monotonic() + within_s, CALL_SHARE * within_s
    before = len(pool.living)
    while pool.living and time.monotonic() < deadline:
        hands.ask_queue()
        listed = hands.finish(deadline, meanwhile, call_s)
        states = None if listed is None or listed.listing is None else listed.listing.states
        for action in core.end_all(pool, Look(0, 0, {}, states), time.monotonic()):
            if isinstance(action, Cancel):
                hands.cancel(action.native_id)
            elif isinstance(action, Gone):
                hands.note_gone(action)
        hands.finish(deadline, meanwhile, call_s)
        if listed is not None and not any(job.native_id for job in pool.living):
            break
        meanwhile()
        time.sleep(max(0.0, min(look_s, LOOK_S, deadline - time.monotonic())))
    hands.revoke_at_last()
    hands.finish(time.monotonic() + REVOKING_S)
    _tell_what_is_left(pool, hands, before, within_s)


def _tell_what_is_left(pool: Pool, hands: Hands, before: int, within_s: float) -> None:
    log.info("%d of %d jobs have ended", before - len(pool.living), before)
    known = [job.native_id for job in pool.living if job.native_id is not None]
    if known:
        text = "these jobs were not seen to end within %g s; cancel them by the batch system's own command: %s"
        log.warning(text, within_s, ", ".join(known))
    unknown = [job.id for job in pool.living if job.native_id is None]
    if unknown:
        text = "nobody has heard whether these jobs were taken; look for their names in the queue, and cancel them: %s"
        log.warning(text, ", ".join(unknown))
    if not hands.calls.are_done:
        text = "the keys of jobs that have ended are not revoked after %g s; `warpcore keys list` shows them"
        log.warning(text, REVOKING_S)
