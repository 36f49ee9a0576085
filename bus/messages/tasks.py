"""One task between the scheduler and a worker: given, followed, committed, ended."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus.messages.common import Ok
from warpcore.bus.messages.picks import HandPicks
from warpcore.bus.schema import Message, Port, message
from warpcore.bus.vocabulary import FailureKind, Selection, TaskPurpose


@message("task.assign")
class AssignTask(Message, frozen=True):
    """To a worker: one movie, the steps to run, and all settings. `lease` is the task's number.

    `purpose` is "process" or the name of an export job or a try, whose options are already in `settings`. `wanted`
    holds the fingerprint of each step; `stored`, `results` and `outputs` tell by step what is on disk now. `choices`
    are what steps have learnt from the session's first movies, by step, `hand_picks` a person's own edits of the picks.
    `origin` is the processing directory where `outputs` lie, if it is another one: they are linked from there first.
    """

    lease: int
    purpose: TaskPurpose
    name: str
    path: str
    size: int
    mtime_ns: int
    run: list[str]
    wanted: dict[str, str]
    settings: dict[str, Any]
    results: dict[str, Any]
    data_directory: str
    processing_directory: str
    selection: Selection = Selection.AUTO
    stored: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, dict[str, Any]] = field(default_factory=dict)
    hand_picks: HandPicks | None = None
    origin: str = ""


@message("task.cancel")
class CancelTask(Message, frozen=True):
    """To a worker: stop work on this lease, which is no longer valid."""

    lease: int
    reason: str


@message("task.progress", port=Port.WORKER)
class TaskProgress(Message, frozen=True):
    """`step` is `load`, one of the steps, or `write`; `fraction` is 0 to 1 of that step."""

    worker: str
    lease: int
    movie: str
    step: str
    fraction: float
    message: str = ""


@message("task.committed")
class CommitAnswer(Message, frozen=True):
    """Not `granted`: the lease is no longer valid; delete the temporary outputs."""

    lease: int
    granted: bool


@message("task.commit", port=Port.WORKER, answers=(CommitAnswer,))
class CommitTask(Message, frozen=True):
    """May the worker rename this lease's outputs into place?"""

    worker: str
    lease: int


@message("task.finished", port=Port.WORKER, answers=(Ok,))
class TaskFinished(Message, frozen=True):
    """The outputs are in place. An old lease is answered with `ok` too.

    `ran` names the steps that ran, `results` holds their summaries, `outputs` their files relative to the processing
    directory. `kept` are the keys of earlier outputs that can be put back.
    """

    worker: str
    lease: int
    ran: list[str]
    results: dict[str, Any]
    outputs: dict[str, list[str]]
    seconds: dict[str, float] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


@message("task.failed", port=Port.WORKER, answers=(Ok,))
class TaskFailed(Message, frozen=True):
    """The movie could not be processed. An old lease is answered with `ok` too.

    `kind` is `input`, `resource`, `bad_gpu` or `internal`.
    """

    worker: str
    lease: int
    kind: FailureKind
    step: str
    message: str
