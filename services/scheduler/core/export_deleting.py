"""Export jobs are deleted: first what runs of them is given up, then their folder goes, then they are forgotten.

A job that is being deleted stays in the list, and in the database, until its folder is gone: a restart goes on with it.
"""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import ItemState, JobState
from warpcore.services.scheduler.core import aside, exporting, tasks, views
from warpcore.services.scheduler.core.effects import DropExport, RemoveExport
from warpcore.services.scheduler.core.export_records import OPEN_ITEMS, ExportRecord
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import ExportRemoved

REPEAT_AFTER_S = 5.0
"""How long after a folder could not be deleted it is tried again."""


@handles(wire.DeleteExport)
def delete(state: State, message: wire.DeleteExport) -> None:
    """Forgets a job, with its folder; what runs of it is given up."""
    job = exporting.named(state, message.job)
    if job is None:
        return
    if job.state != JobState.DELETING:
        _give_up(state, job)
        exporting.tell(state, job, "export.deleting")
        if job.folder:
            exporting.remove_folder(state, job)
        else:  # its files lie among the session's own, and stay
            _forget(state, job)
    state.reply(views.export_head(job))


def removed(state: State, stimulus: ExportRemoved) -> None:
    """The folder of a job is gone, and so is the job; or it could not be deleted, and that is tried again."""
    job = state.exports.get(stimulus.job)
    if job is None or job.state != JobState.DELETING:
        return
    if stimulus.problem:
        job.problem, job.remove_at = stimulus.problem, state.now + REPEAT_AFTER_S
    else:
        _forget(state, job)


def repeat_due(state: State) -> None:
    """Delete again what could not be deleted."""
    for job in _deleting(state):
        if job.remove_at is not None and state.now >= job.remove_at:
            exporting.remove_folder(state, job)


def begun(state: State) -> list[RemoveExport]:
    """What had begun."""
    return [RemoveExport(job.job, job.folder) for job in _deleting(state) if not exporting.leases_of(state, job)]


def warnings(state: State) -> list[str]:
    """Which folders cannot be deleted, and why."""
    return [f"export {job.job} is not deleted yet: {job.problem}" for job in _deleting(state) if job.problem]


def _deleting(state: State) -> list[ExportRecord]:
    return [job for job in state.exports.values() if job.state == JobState.DELETING]


def _give_up(state: State, job: ExportRecord) -> None:
    """Nothing more is done for a job. A lease whose files are being put in place ends by itself, soon."""
    placing = set()
    for task in exporting.leases_of(state, job):
        if task.state == LeaseState.PLACING:
            placing.add(task.movie)
        else:
            tasks.revoke(state, task, "the export was deleted", cancel=True)
            aside.set_free(state, task)
    dropped = [id for id, item in job.items.items() if item.state in OPEN_ITEMS and id not in placing]
    for id in dropped:
        exporting.move_item(state, job, id, ItemState.DROPPED, "the export was deleted")
    job.become(JobState.DELETING, "by the user")
    exporting.save(state, job, *dropped)


def _forget(state: State, job: ExportRecord) -> None:
    del state.exports[job.job]
    state.effects.append(DropExport(job.job, tuple(job.items), state.last_export))
    exporting.tell(state, job, "export.deleted")
