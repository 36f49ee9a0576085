"""What workers log: the last lines of each are kept, bounded in number and bytes, and all are passed on."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.limits import LOG_LINES
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.registry import Speaker
from warpcore.services.scheduler.core.state import State

MOST_LINES_AT_ONCE = 500
EVENT_BUDGET_BYTES = 64 * 1024
"""Lines of one event; more lines are told by several."""


@handles(wire.WorkerLog)
def log(state: State, speaker: Speaker, message: wire.WorkerLog) -> None:
    """Log lines of a worker: the last are kept, all are passed on, each once by its number."""
    worker = speaker.worker
    if worker is None:
        return
    added = (worker.log.add(raw) for raw in message.lines[:MOST_LINES_AT_ONCE])
    lines = [line for line in added if line is not None]
    while lines:
        shown = views.fitting(lines, EVENT_BUDGET_BYTES)
        state.publish("worker.log", wire.WorkerLogEvent(worker.name, shown), durable=False)
        lines = lines[len(shown) :]


@handles(wire.GetWorkerLogs, reads=True)
def logs(state: State, message: wire.GetWorkerLogs) -> None:
    """A page of a worker's log."""
    worker = state.workers.get(message.worker)
    if worker is None or not worker.registered:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no worker is called {message.worker!r}"))
        return
    newer = [line for line in worker.log if line["number"] > message.after]
    wanted = min(max(1, message.limit), LOG_LINES)
    # Without a number the last lines are meant; with one, those that follow it.
    page = newer[:wanted] if message.after > 0 else newer[-wanted:]
    state.reply(wire.WorkerLogs(worker.name, views.fitting(page)))
