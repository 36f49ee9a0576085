"""The scheduler's pure machine: stimuli in, effects out, no IO, time passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core import (
    assigning,
    deciding,
    exporting,
    files,
    registry,
    requests,
    restoring_outputs,
    tasks,
)
from warpcore.services.scheduler.core.effects import (
    AssignmentUndelivered,
    ChangeSettings,
    Effect,
    FromControl,
    FromWorker,
    OutputsMissing,
    OutputsRestored,
    Send,
    Started,
    Stimulus,
    Tick,
)
from warpcore.services.scheduler.core.state import State

ControlHandler = Callable[[State, Any], None]


def handle(state: State, stimulus: Stimulus, now: float, wall: float = 0.0) -> list[Effect]:
    """Carry out one stimulus at monotonic time `now` (seconds) and say what is to be done about it.

    `wall` (seconds since the epoch) is only shown. Raises IllegalTransition where a decision is at fault: the state is then
    to be restored from its rows.
    """
    state.now, state.wall = now, wall
    state.effects = []
    busy = {name: bool(worker.leases) for name, worker in state.workers.items()}
    match stimulus:
        case FromControl(message):
            _from_control(state, message)
        case FromWorker(sender, message):
            _from_worker(state, sender, message)
        case ChangeSettings(settings, references, dry):
            deciding.change_settings(state, settings, references, dry=dry)
        case Started():
            deciding.start(state, stimulus)
        case Tick():
            _tick(state)
        case AssignmentUndelivered(lease):
            _undelivered(state, lease)
        case OutputsMissing():
            deciding.outputs_missing(state, stimulus)
        case OutputsRestored():
            restoring_outputs.restored(state, stimulus)
    restoring_outputs.begin(state)
    assigning.dispatch(state)
    registry.tell_load(state, busy)
    effects, state.effects = state.effects, []
    return effects


def _from_control(state: State, message: Message) -> None:
    handler = _CONTROL.get(type(message))
    if handler is None:
        state.reply(wire.Error(ErrorCode.UNKNOWN_TYPE, f"{message.TYPE} is no request of the control port"))
        return
    handler(state, message)


def _start_processing(state: State, message: Message) -> None:
    requests.pause(state, False)
    requests.status(state)


def _pause_processing(state: State, message: Message) -> None:
    requests.pause(state, True)
    requests.status(state)


def _settings(state: State, message: Message) -> None:
    state.reply(wire.SettingsReply(state.settings.to_dict(), state.revision))


_CONTROL: dict[type[Message], ControlHandler] = {
    wire.RegisterFiles: files.register,
    wire.GetKnownFiles: files.known,
    wire.GetSnapshot: requests.snapshot,
    wire.GetSettings: _settings,
    wire.StartProcessing: _start_processing,
    wire.PauseProcessing: _pause_processing,
    wire.GetProcessing: lambda state, message: requests.status(state),
    wire.GetWorkers: lambda state, message: requests.workers(state),
    wire.GetWorkerLogs: registry.logs,
    wire.GetItems: requests.items,
    wire.GetItem: requests.item,
    wire.RetryItem: requests.retry,
    wire.SelectItem: requests.select,
    wire.PrioritiseItem: requests.prioritise,
    wire.GetSummary: lambda state, message: requests.summary(state),
    wire.StartExport: exporting.start,
    wire.GetExport: exporting.get,
    wire.GetExports: exporting.names,
    wire.CancelExport: exporting.cancel,
    wire.ExportCollected: exporting.collected,
}

READS = frozenset(
    {
        wire.GetKnownFiles,
        wire.GetSnapshot,
        wire.GetChanges,
        wire.GetSettings,
        wire.PreviewSettings,
        wire.GetProcessing,
        wire.GetWorkers,
        wire.GetWorkerLogs,
        wire.GetItems,
        wire.GetItem,
        wire.GetSummary,
        wire.GetExport,
        wire.GetExports,
        wire.GetHealth,
    }
)
"""Requests that change nothing: repeated, they are answered anew."""


def _from_worker(state: State, sender: bytes, message: Message) -> None:
    """Traffic of the worker port. Lease and name fence a task's messages, even from a connection not yet registered with this run."""
    if isinstance(message, wire.RegisterWorker):
        registry.register(state, sender, message)
        return
    name = getattr(message, "worker", None)
    if not isinstance(name, str) or not isinstance(message, _WORKER_TYPES):
        state.reply(wire.Error(ErrorCode.UNKNOWN_TYPE, f"{message.TYPE} is no message of the worker port"))
        return
    worker = registry.known(state, sender, name)
    match message:
        case wire.CommitTask():
            task = tasks.held(state, name, message.lease)
            if task is not None:
                tasks.commit(state, task)
            state.reply(wire.CommitAnswer(message.lease, task is not None))
        case wire.TaskFinished():
            task = tasks.held(state, name, message.lease)
            if task is not None:
                tasks.finish(state, task, message)
            state.reply(wire.Ok())
        case wire.TaskFailed():
            task = tasks.held(state, name, message.lease)
            if task is not None:
                tasks.fail(state, task, message.kind, message.step, message.message)
                if message.kind == "bad_gpu" and worker is not None:
                    registry.set_aside(state, worker, message.message)
            state.reply(wire.Ok())
        case wire.TaskProgress():
            task = tasks.held(state, name, message.lease)
            if task is not None:
                tasks.progress(state, task, message)
            elif worker is not None:
                state.effects.append(Send(sender, wire.CancelTask(message.lease, "this lease no longer holds")))
        case wire.ComputeDied():
            if worker is not None:
                registry.compute_died(state, worker, message)
            state.reply(wire.Ok())
        case wire.Goodbye():
            if worker is not None:
                registry.goodbye(state, worker)
            state.reply(wire.Ok())
        case wire.Heartbeat() if worker is not None:
            registry.heartbeat(state, worker, message)
        case wire.PullTasks() if worker is not None:
            registry.pull(state, worker, message)
        case wire.WorkerLog() if worker is not None:
            registry.log(state, worker, message)


_WORKER_TYPES = (
    wire.CommitTask,
    wire.TaskFinished,
    wire.TaskFailed,
    wire.TaskProgress,
    wire.ComputeDied,
    wire.Goodbye,
    wire.Heartbeat,
    wire.PullTasks,
    wire.WorkerLog,
)


def _tick(state: State) -> None:
    for id in state.parked.due(state.now):
        movie = state.movies[id]
        movie.parked_until = None
        state.place(movie)
    registry.expire(state)


def _undelivered(state: State, lease: int) -> None:
    task = state.tasks.get(lease)
    if task is None:
        return
    worker = state.workers.get(task.worker)
    if worker is not None:
        worker.credit = 0
    tasks.requeue(state, task, f"{task.worker} could not be reached", cancel=False)
