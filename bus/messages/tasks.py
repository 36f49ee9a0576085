"""One task between the scheduler and a worker: given, followed, ended."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus.messages.common import Ok
from warpcore.bus.messages.picks import HandPicks
from warpcore.bus.schema import Message, Port, message
from warpcore.bus.vocabulary import FailureKind, Selection, TaskPurpose


@message("task.assign")
class AssignTask(Message, frozen=True):
    """To a worker: one movie, the steps to run, and its settings. `lease` is the task's number.

    `purpose` is "process" or the name of an export job or a try, whose options are already in `settings`. `wanted`
    holds the fingerprint of each step; `stored` and `results` tell by step what is on disk now. `choices` are what
    steps have learnt from the session's first movies, by step, `hand_picks` a person's own edits of the picks. In
    `settings` nothing is null that the movie's header or metadata tells; `sources` says by setting where the value
    comes from (`setting`, `metadata`, `header`, `assumed`), `metadata` names the file. `optics_group` is the number of
    the movie's optics group.
    `folder` (relative to the processing directory) is where an export job's outputs will lie, "" for the session's own.
    `references` are folders in which files that settings name may lie, beside the two directories, and `follow_links`
    says whether links may lead out of the data directory: the worker reads nothing else.
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
    choices: dict[str, dict[str, Any]] = field(default_factory=dict)
    hand_picks: HandPicks | None = None
    sources: dict[str, str] = field(default_factory=dict)
    metadata: str = ""
    folder: str = ""
    optics_group: int = 1
    references: list[str] = field(default_factory=list)
    follow_links: bool = False


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


@message("task.finished", port=Port.WORKER, answers=(Ok,))
class TaskFinished(Message, frozen=True):
    """The outputs are written; the scheduler places them if the lease holds. An old lease is answered with `ok` too.

    `ran` names the steps that ran, `results` holds their summaries. `outputs` are the files by step and by the pattern
    that the step declares (`average/{movie}.mrc`), with the bytes of each in the task's own folder, or null where the
    same bytes are in place already.
    """

    worker: str
    lease: int
    ran: list[str]
    results: dict[str, Any]
    outputs: dict[str, dict[str, int | None]]
    seconds: dict[str, float] = field(default_factory=dict)


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
