"""What workers say of their leases. Name and lease fence it, even from a connection that must register first."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core import registry, seeing, tasks
from warpcore.services.scheduler.core.effects import Send
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


@handles(wire.CommitTask)
def commit(state: State, speaker: Speaker, message: wire.CommitTask) -> None:
    """May the worker rename its outputs into place? Only while its lease holds."""
    task = tasks.held(state, message.worker, message.lease)
    if task is not None:
        tasks.commit(state, task)
    state.reply(wire.CommitAnswer(message.lease, task is not None))


@handles(wire.TaskFinished)
def finished(state: State, speaker: Speaker, message: wire.TaskFinished) -> None:
    """The outputs are in place. An old lease is answered too, and changes nothing."""
    task = tasks.held(state, message.worker, message.lease)
    if task is not None:
        tasks.finish(state, task, message)
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
