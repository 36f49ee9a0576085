"""The registry of workers: how they come, go, die or fall silent, and what becomes of their leases."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_PROCESSES, MOST_WORKERS
from warpcore.bus.vocabulary import ErrorCode, FailureKind, WorkerState
from warpcore.services.scheduler.core import names, seeing, tasks, views
from warpcore.services.scheduler.core.effects import LiftBan, SaveBan, Send
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import Ban, TaskRecord, WorkerRecord
from warpcore.services.scheduler.core.state import State

HEARTBEAT_S = 2.0
MOST_CREDIT = 3 * MOST_PROCESSES
"""Tasks of a worker at a time: each of its compute processes loads one, computes one and writes one."""
ENDED_SHOWN_S = 60.0
"""How long a worker stays in the registry that has ended in order."""
LOST_SHOWN_S = 600.0
"""How long one that is gone without a word stays there. The alarm goes on telling of it."""
MOST_LOST = 100
"""Lost workers that are still told, the latest ones."""
UNLISTED_GRACE_S = 10.0
"""How long a heartbeat may not name a lease: the assignment, or the report of its end, can still be on the way."""
MOST_WARNINGS = 8
ENDED = "ended"
"""Why a worker is gone that ended in order."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who sent a message to the worker port: the connection, and the living worker, None where it must register."""

    sender: bytes
    worker: WorkerRecord | None


@handles(wire.RegisterWorker)
def register(state: State, speaker: Speaker, message: wire.RegisterWorker) -> None:
    """A nanny has started, reconnected, come back after a restart of the scheduler, or heard nothing for long."""
    if not 0 < len(message.name) <= 128 or not message.name.isprintable() or not message.instance:
        state.reply(wire.Error(ErrorCode.INVALID, f"{message.name[:128]!r} is not a worker's name"))
        return
    worker = state.workers.get(message.name)
    if worker is not None and worker.instance != message.instance:
        if names.must_wait(state, worker, message):
            return
        if worker.alive:
            lose(state, worker, f"{message.name} was started anew")
        worker = None
    if worker is None and sum(one.alive for one in state.workers.values()) >= MOST_WORKERS:
        state.reply(wire.Error(ErrorCode.CONFLICT, f"{MOST_WORKERS} workers are registered; end some of them"))
        return
    _end_others(state, speaker.sender, message.name)
    ban = state.bans.get(message.name)
    if ban is not None and ban.instance != message.instance:
        del state.bans[message.name]
        state.effects.append(LiftBan(message.name))
        ban = None
    if worker is None:
        worker = WorkerRecord(message.name, message.instance, idle_since=state.now)
        state.workers[message.name] = worker
    news = not worker.alive or worker.sender != speaker.sender or not _is_same(worker.hello, message)
    worker.sender, worker.hello, worker.credit, worker.heard_at = speaker.sender, message, 0, state.now
    worker.reason = ban.reason if ban is not None else ""
    if not worker.alive:
        worker.become(WorkerState.IDLE, "registered again")
    if ban is not None:
        worker.become(WorkerState.SET_ASIDE, "still set aside")
    kept = _still_held(state, worker, message.leases)
    state.reply(wire.WorkerRegistered(worker.name, HEARTBEAT_S, kept))
    seeing.registered(state, worker)
    if news:
        _tell(state, "worker.registered", worker)


def _end_others(state: State, sender: bytes, name: str) -> None:
    """A connection is that of one worker: one that registered there under another name is gone."""
    for other in list(state.workers.values()):
        if other.sender == sender and other.name != name and other.alive:
            lose(state, other, f"its connection is now that of {name}")


def _is_same(known: wire.RegisterWorker | None, message: wire.RegisterWorker) -> bool:
    """Whether a registration tells of the worker what is known."""
    return known is not None and known == replace(message, leases=known.leases, replaces=known.replaces)


def _still_held(state: State, worker: WorkerRecord, leases: list[int]) -> list[int]:
    """Those of its leases that a worker still holds; its other ones are taken back."""
    kept = []
    for lease in list(worker.leases):
        task = state.tasks[lease]
        if lease in leases:
            kept.append(lease)
            task.unlisted_since = None
        else:
            tasks.requeue(state, task, f"{worker.name} no longer holds it", cancel=False)
    return kept


def known(state: State, sender: bytes, name: str) -> WorkerRecord | None:
    """The living worker of this name and connection, which was heard now; any other is told to register."""
    worker = state.workers.get(name)
    if worker is None or not worker.alive or worker.sender != sender:
        state.effects.append(Send(sender, wire.UnknownWorker()))
        return None
    worker.heard_at = state.now
    return worker


@handles(wire.Heartbeat)
def heartbeat(state: State, speaker: Speaker, message: wire.Heartbeat) -> None:
    """A sign of life, with load, warnings, and the leases that the worker believes to hold."""
    worker = speaker.worker
    if worker is None:
        return
    worker.load = message.load
    worker.serves_another = message.state is WorkerState.BUSY and not message.leases
    worker.warnings = [text[: tasks.LONGEST_TEXT] for text in message.warnings[:MOST_WARNINGS]]
    if message.credit is not None:
        _take_credit(state, worker, message.credit)
    for lease in message.leases[:16]:
        if tasks.held(state, worker.name, lease) is None:
            state.send(worker, wire.CancelTask(lease, "this lease no longer holds"))
    for lease in list(worker.leases):
        task = state.tasks[lease]
        if lease in message.leases:
            task.unlisted_since = None
        elif task.unlisted_since is None:
            task.unlisted_since = state.now
        elif state.now - max(task.unlisted_since, task.active_at) > UNLISTED_GRACE_S:
            tasks.requeue(state, task, f"{worker.name} does not hold it", cancel=True)
    _tell(state, "worker.heartbeat", worker, durable=False)


@handles(wire.PullTasks)
def pull(state: State, speaker: Speaker, message: wire.PullTasks) -> None:
    """The worker can take `credit` tasks in all."""
    if speaker.worker is not None:
        _take_credit(state, speaker.worker, message.credit)


def _take_credit(state: State, worker: WorkerRecord, credit: int) -> None:
    worker.credit = min(MOST_CREDIT, max(0, credit))
    state.hungry.add(worker.name)


@handles(wire.WorkerSees)
def sees(state: State, speaker: Speaker, message: wire.WorkerSees) -> None:
    """What the worker sees of the session's folders; one that does not see them is given nothing."""
    if speaker.worker is not None:
        seeing.answered(state, speaker.worker, message)


@handles(wire.ComputeDied)
def compute_died(state: State, speaker: Speaker, message: wire.ComputeDied) -> None:
    """A compute process died: the movie at fault counts it, the others wait again, a bad GPU sets the worker aside."""
    if speaker.worker is not None:
        _compute_died(state, speaker.worker, message)
    state.reply(wire.Ok())


def _compute_died(state: State, worker: WorkerRecord, message: wire.ComputeDied) -> None:
    cause = f"the compute process on {worker.name} died: {message.cause[: tasks.LONGEST_TEXT]}"
    gone = [
        task for lease in dict.fromkeys(message.leases) if (task := tasks.held(state, worker.name, lease)) is not None
    ]
    if message.culprit is None:
        tasks.lose(state, gone, cause)
        gone = []
    for task in gone:
        if task.lease != message.culprit:
            tasks.requeue(state, task, cause, cancel=False)
        elif message.kind in (FailureKind.RESOURCE, FailureKind.BAD_GPU):
            tasks.fail(state, task, message.kind, task.step, cause)
        else:
            tasks.requeue(state, task, cause, cancel=False, strike=True)
    if message.kind == FailureKind.BAD_GPU:
        set_aside(state, worker, message.cause)


def set_aside(state: State, worker: WorkerRecord, cause: str) -> None:
    """Give a worker no more tasks until another instance of it registers; its movies go elsewhere."""
    worker.reason = f"bad GPU: {cause[: tasks.LONGEST_TEXT]}"
    worker.become(WorkerState.SET_ASIDE, worker.reason)
    ban = Ban(worker.name, worker.instance, worker.reason)
    if len(state.bans) >= MOST_WORKERS:
        _forget_a_ban(state)
    state.bans[worker.name] = ban
    state.effects.append(SaveBan(ban))
    for lease in list(worker.leases):
        tasks.requeue(state, state.tasks[lease], f"{worker.name} was set aside", cancel=True)
    _tell(state, "worker.idle", worker, durable=False)


def _forget_a_ban(state: State) -> None:
    """The oldest one of a worker that is no longer there."""
    living = {worker.name for worker in state.workers.values() if worker.alive}
    oldest = next((name for name in state.bans if name not in living), None)
    if oldest is not None:
        del state.bans[oldest]
        state.effects.append(LiftBan(oldest))


@handles(wire.Goodbye)
def goodbye(state: State, speaker: Speaker, message: wire.Goodbye) -> None:
    """A worker ends in order: its movies wait again, and no failure is counted."""
    worker = speaker.worker
    if worker is not None:
        for lease in list(worker.leases):
            tasks.requeue(state, state.tasks[lease], f"{worker.name} ended", cancel=False)
        _is_gone(worker, ENDED)
        _tell(state, "worker.lost", worker)
    state.reply(wire.Ok())


def lose(state: State, worker: WorkerRecord, why: str) -> None:
    """A worker is gone without a word."""
    _is_gone(worker, why)
    tasks.lose(state, [state.tasks[lease] for lease in worker.leases], why)
    if worker.registered:
        _tell(state, "worker.lost", worker)


def _is_gone(worker: WorkerRecord, why: str) -> None:
    worker.become(WorkerState.LOST, why)
    worker.credit, worker.reason = 0, worker.reason or why


def expire(state: State) -> None:
    """Lose silent workers, forget those lost long ago or very many, take back leases without progress."""
    for worker in list(state.workers.values()):
        silent_s = state.now - worker.heard_at
        if worker.alive and silent_s > names.patience_s(state, worker):
            lose(state, worker, f"{worker.name} was silent for {silent_s:.0f} s")
    lost = sorted((one for one in state.workers.values() if not one.alive), key=lambda one: one.heard_at)
    for place, worker in enumerate(lost):
        shown_s = ENDED_SHOWN_S if worker.reason == ENDED else LOST_SHOWN_S
        if place < len(lost) - MOST_LOST or state.now - worker.heard_at > shown_s:
            del state.workers[worker.name]
    for task in list(state.tasks.values()):
        if task.state == LeaseState.PLACING:
            continue
        if state.storage.holds:
            task.active_at = state.now  # storage that hangs is no fault of the movie
        elif task.lease in state.tasks and state.now - _active_at(state, task) > state.task_timeout_s:
            why = f"no progress on {task.worker} for {state.task_timeout_s / 60:g} min"
            tasks.requeue(state, task, why, cancel=True, strike=task.begun)


def tell_load(state: State) -> None:
    """Publish which workers became idle or busy."""
    for name, was_busy in state.was_busy.items():
        worker = state.workers.get(name)
        if worker is not None and worker.alive and bool(worker.leases) != was_busy:
            _tell(state, "worker.busy" if worker.leases else "worker.idle", worker, durable=False)


def warnings(state: State) -> list[str]:
    """The warnings of all living workers and of the discoverer, each text once, and names that two workers want."""
    told = dict.fromkeys(text for worker in state.workers.values() if worker.alive for text in worker.warnings)
    told |= dict.fromkeys((*state.file_warnings, *map(names.name_taken, names.with_rivals(state))))
    return list(told)[:MOST_WARNINGS]


def view(state: State, worker: WorkerRecord) -> wire.Worker:
    """A worker as others see it."""
    movies = [state.movies[state.tasks[lease].movie].name for lease in worker.leases]
    return views.worker_view(worker, movies, state.now)


def _active_at(state: State, task: TaskRecord) -> float:
    """When a task last made progress; one that has not begun may wait for another one of its worker."""
    if task.begun:
        return task.active_at
    worker = state.workers.get(task.worker)
    leases = worker.leases if worker is not None else [task.lease]
    return max(state.tasks[lease].active_at for lease in leases)


def _tell(state: State, topic: str, worker: WorkerRecord, *, durable: bool = True) -> None:
    state.publish(topic, wire.WorkerEvent(view(state, worker)), durable=durable)
