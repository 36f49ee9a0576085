"""The scheduler's pure machine: stimuli in, effects out, no IO, time passed in."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.schema import Message, Port
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core import (
    alarm_metadata,
    alarm_pools,
    alarm_rules,
    alarm_storage,
    alarm_values,
    alarm_workable,
    alarms,
    assigning,
    choices,
    deciding,
    export_deleting,
    exporting,
    files,
    forgetting,
    grouping,
    hand_picks,
    idling,
    in_use,
    learning,
    placing_outputs,
    pools,
    profiles,
    registry,
    reports,
    requests,
    restoring_outputs,
    seeing,
    selecting,
    tasks,
    tries,
    worker_logs,
)
from warpcore.services.scheduler.core.effects import Effect
from warpcore.services.scheduler.core.handlers import Place, handler_of
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.registry import Speaker
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import (
    AssignmentUndelivered,
    ChangeSettings,
    ExportRemoved,
    FromControl,
    FromWorker,
    OutputsMissing,
    OutputsPlaced,
    OutputsRestored,
    PlacingFailed,
    ReferencesLooked,
    RestoringFailed,
    Started,
    StartTry,
    StateFault,
    Stimulus,
    StorageLooked,
    Tick,
)

HANDLING = (
    alarm_metadata,
    alarm_pools,
    alarm_rules,
    alarm_storage,
    alarm_values,
    alarm_workable,
    alarms,
    choices,
    export_deleting,
    exporting,
    files,
    forgetting,
    hand_picks,
    in_use,
    pools,
    profiles,
    registry,
    reports,
    requests,
    selecting,
    tries,
    worker_logs,
)
"""Modules that register handlers and alarm rules when they are imported, so nothing reads this name."""


def handle(state: State, stimulus: Stimulus, now: float, wall: float = 0.0) -> list[Effect]:
    """Carry out one stimulus at monotonic time `now` (seconds); returns what the shell is to do.

    `wall` (seconds since the epoch) is only shown. Raises IllegalTransition for a wrong decision: the caller then
    restores the state from its rows.
    """
    state.now, state.wall = now, wall
    state.effects, state.was_busy, state.ended = [], {}, {}
    match stimulus:
        case FromControl(message):
            _from_control(state, message)
        case FromWorker(sender, message):
            _from_worker(state, sender, message)
        case ChangeSettings():
            deciding.change_settings(state, stimulus)
        case StartTry():
            tries.start(state, stimulus)
        case Started():
            deciding.start(state, stimulus)
        case Tick():
            _tick(state)
        case AssignmentUndelivered(lease):
            _undelivered(state, lease)
        case OutputsMissing():
            deciding.outputs_missing(state, stimulus)
        case StateFault(text):
            state.fault = text
        case OutputsRestored():
            restoring_outputs.restored(state, stimulus)
        case RestoringFailed():
            restoring_outputs.failed(state, stimulus)
        case StorageLooked():
            seeing.looked(state, stimulus)
        case ReferencesLooked():
            seeing.looked_at_references(state, stimulus)
        case OutputsPlaced():
            placing_outputs.placed(state, stimulus)
        case PlacingFailed():
            placing_outputs.failed(state, stimulus)
        case ExportRemoved():
            export_deleting.removed(state, stimulus)
    grouping.regroup(state)
    learning.learn(state)
    restoring_outputs.begin(state)
    idling.wake(state)
    assigning.dispatch(state)
    registry.tell_load(state)
    effects, state.effects = state.effects, []
    return effects


def _from_control(state: State, message: Message) -> None:
    handler = handler_of(message, Port.CONTROL)
    if handler is None or handler.place is not Place.MACHINE:
        text = f"{message.TYPE} is no request of the control port"
        state.reply(wire.Error(ErrorCode.UNKNOWN_TYPE, text))
        return
    handler.run(state, message)


def _from_worker(state: State, sender: bytes, message: Message) -> None:
    """A message that names its worker proves that this one lives; a registration comes before that."""
    handler = handler_of(message, Port.WORKER)
    if handler is None:
        text = f"{message.TYPE} is no message of the worker port"
        state.reply(wire.Error(ErrorCode.UNKNOWN_TYPE, text))
        return
    name = getattr(message, "worker", None)
    worker = registry.known(state, sender, name) if name is not None else None
    handler.run(state, Speaker(sender, worker), message)


def _tick(state: State) -> None:
    for id in state.parked.due(state.now):
        movie = state.movies[id]
        movie.parked_until = None
        state.place(movie)
    registry.expire(state)
    pools.expire(state)
    seeing.watch(state)
    placing_outputs.repeat_due(state)
    restoring_outputs.repeat_due(state)
    export_deleting.repeat_due(state)
    idling.watch(state)
    alarms.watch(state)


def _undelivered(state: State, lease: int) -> None:
    task = state.tasks.get(lease)
    if task is None or task.state == LeaseState.PLACING:
        return
    worker = state.workers.get(task.worker)
    if worker is not None:
        worker.credit = 0
    tasks.requeue(state, task, f"{task.worker} could not be reached", cancel=False)
