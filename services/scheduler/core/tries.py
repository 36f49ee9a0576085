"""What users ask of tries."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.limits import KEPT_TRIES
from warpcore.bus.vocabulary import ErrorCode, TryState
from warpcore.services.scheduler.core import aside, tasks, trying, views
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.requests import named
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import StartTry
from warpcore.services.scheduler.core.try_records import TryRecord


def start(state: State, stimulus: StartTry) -> None:
    """Take up a try; the oldest that has ended makes room for it."""
    movie = named(state, stimulus.name)
    if movie is None:
        return
    if len(state.tries) >= KEPT_TRIES:
        ended = [one for one in state.tries.values() if one.state in (TryState.DONE, TryState.FAILED)]
        if not ended:
            text = f"{len(state.tries)} tries wait already; let one end, or delete one"
            state.reply(wire.Error(ErrorCode.CONFLICT, text))
            return
        trying.drop(state, ended[0])
    record = TryRecord(
        number=state.seq + 1,
        movie=movie.id,
        patch=stimulus.patch,
        settings=stimulus.settings.to_dict(),
        references=stimulus.references,
        at=state.wall,
        by=stimulus.by,
    )
    state.tries[record.number] = record
    trying.save(state, record, "try.started")
    state.reply(views.try_head(record, movie.name))


@handles(wire.GetTry, reads=True)
def get(state: State, message: wire.GetTry) -> None:
    """A try with its results."""
    record = _found(state, message.id)
    if record is not None:
        state.reply(views.try_view(record, state.movies[record.movie].name, trying.task_of(state, record)))


@handles(wire.GetTries, reads=True)
def get_all(state: State, message: wire.GetTries) -> None:
    """The tries that are kept, newest first."""
    heads = [views.try_head(one, state.movies[one.movie].name) for one in reversed(state.tries.values())]
    state.reply(wire.Tries(views.fitting(one for one in heads if message.name in (None, one.name))))


@handles(wire.DeleteTry)
def delete(state: State, message: wire.DeleteTry) -> None:
    """Gives up a try, or forgets one that has ended, with its files."""
    record = _found(state, message.id)
    if record is None:
        return
    task = trying.task_of(state, record)
    if task is not None and task.state == LeaseState.PLACING:
        state.reply(wire.Error(ErrorCode.CONFLICT, f"the files of {record.id} are being put in place; try again soon"))
        return
    if task is not None:
        tasks.revoke(state, task, "the try was deleted", cancel=True)
        aside.set_free(state, task)
    trying.drop(state, record)
    state.reply(views.try_head(record, state.movies[record.movie].name))


def _found(state: State, id: str) -> TryRecord | None:
    record = trying.named(state, id)
    if record is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no try is called {id[:100]!r}"))
    return record
