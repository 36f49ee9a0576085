"""Tries: one movie processed aside, with other settings than the session's."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus.messages.parts import Failure
from warpcore.bus.schema import Message, Port, message
from warpcore.bus.vocabulary import TryState


@message("try")
class Try(Message, frozen=True):
    """A try of the movie `name`: `settings` are those that were asked for, all others were the session's.

    `results` are by step, `outputs` its files by step, below `folder`, which is relative to the processing directory.
    `filter_reasons` say why the session's filter, with these settings, would reject it. `at` (epoch seconds) and `by`:
    when and by whom it was asked for. `step` and `fraction` tell how far a running one is. Lists and events leave
    results and outputs out.
    """

    id: str
    name: str
    state: TryState
    settings: dict[str, Any]
    folder: str
    at: float
    by: str
    failure: Failure | None = None
    filter_reasons: list[str] = field(default_factory=list)
    step: str = ""
    fraction: float = 0.0
    results: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)


@message("try.start", port=Port.CONTROL, answers=(Try,))
class StartTry(Message, frozen=True):
    """Process a movie aside with these settings changed (`{"ctf": {"range_max": 5}}`); nothing of the session changes.

    Impossible settings: error `invalid`. Too many that have not ended: error `conflict`.
    """

    name: str
    settings: dict[str, Any]
    by: str = ""


@message("try.get", port=Port.CONTROL, answers=(Try,))
class GetTry(Message, frozen=True):
    """A try with its results. Unknown id: error `not_found`."""

    id: str


@message("try.delete", port=Port.CONTROL, answers=(Try,))
class DeleteTry(Message, frozen=True):
    """Give up a try, or forget one that has ended, with its files. Unknown id: error `not_found`."""

    id: str


@message("tries")
class Tries(Message, frozen=True):
    """Tries, newest first."""

    tries: list[Try]


@message("tries.get", port=Port.CONTROL, answers=(Tries,))
class GetTries(Message, frozen=True):
    """The tries that are kept, of one movie or (null) of all."""

    name: str | None = None
