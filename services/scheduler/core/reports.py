"""What workers say of their leases. Name and lease fence it, even from a connection that must register first."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core import placing_outputs, registry, seeing, tasks
from warpcore.services.scheduler.core.effects import DropStaging, Send
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import WorkerRecord
from warpcore.services.scheduler.core.registry import Speaker
from warpcore.services.scheduler.core.state import State


@handles(wire.TaskProgress)
def progress(state: State, speaker: Speaker, message: wire.TaskProgress) -> None:
    """How far a task is. A lease that no longer holds is cancelled."""
    task = tasks.held(state, message.worker, message.lease)
    if task is not None:
        tasks.progress(state, task, message)
    elif speaker.worker is not None:
        cancel = wire.CancelTask(message.lease, "this lease no longer holds")
        state.effects.append(Send(speaker.sender, cancel))


@handles(wire.TaskFinished)
def finished(state: State, speaker: Speaker, message: wire.TaskFinished) -> None:
    """The outputs are written; they are placed if the lease holds. An old lease is answered too, its files go."""
    task = tasks.held(state, message.worker, message.lease)
    if task is not None:
        placing_outputs.reported(state, task, message)
    elif message.lease not in state.tasks and 0 < message.lease <= state.last_lease:
        state.effects.append(DropStaging(0, message.lease))
    state.reply(wire.Ok())


@handles(wire.TaskFailed)
def failed(state: State, speaker: Speaker, message: wire.TaskFailed) -> None:
    """A task could not be done. An old lease is answered too, and changes nothing."""
    task = tasks.held(state, message.worker, message.lease)
    if task is not None:
        tasks.fail(state, task, message.kind, message.step, message.message)
        if speaker.worker is not None:
            _after_failure(state, speaker.worker, message)
    state.reply(wire.Ok())


def _after_failure(state: State, worker: WorkerRecord, message: wire.TaskFailed) -> None:
    """What a failure says of the worker, or of the storage that it shares with others."""
    match message.kind:
        case FailureKind.BAD_GPU:
            registry.set_aside(state, worker, message.message)
        case FailureKind.DISK_FULL:
            met = f"worker {worker.name} met {message.message[: tasks.LONGEST_TEXT]!r}"
            told = f"disk full on {state.processing_directory}: {met}; free space, processing goes on by itself"
            state.storage.met_full(told, state.now)
        case FailureKind.STORAGE_AWAY:
            seeing.met_away(state, worker, message.message[: tasks.LONGEST_TEXT])
