"""A session that has had nothing to do for long pauses by itself, and goes on once there is something again.

It never ends a pause of a person's.
"""

from __future__ import annotations

from warpcore.bus.vocabulary import Pauser
from warpcore.services.scheduler.core import assigning, requests
from warpcore.services.scheduler.core.state import State


def watch(state: State) -> None:
    """Pause where that is due. To be called every second or so."""
    if state.active_at is None or state.paused or state.tasks or _waits(state):
        state.active_at = state.now
    after_min = state.settings.session.pause_after
    if after_min is None and state.paused_by is Pauser.IDLE:
        requests.pause(state, None)
    if after_min is not None and not state.paused and state.now - state.active_at >= after_min * 60:
        requests.pause(state, Pauser.IDLE)


def wake(state: State) -> None:
    """Go on where something waits for a worker: a new movie, or one that someone wants done again."""
    if state.paused_by is Pauser.IDLE and _waits(state):
        requests.pause(state, None)


def _waits(state: State) -> bool:
    """Whether anything waits for a worker, or for its pause after a failure to end."""
    return bool(len(state.queue) or len(state.parked) or assigning.waiting_exports(state))
