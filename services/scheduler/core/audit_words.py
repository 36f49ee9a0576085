"""What each request of a person has changed, in words: one function a request, which looks at its effects alone.

A request at the control port that changes something has its words here, or is named in `OF_SERVICES`; a test goes over
all handlers, so that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from warpcore.bus import messages as wire
from warpcore.bus.schema import Message
from warpcore.services.scheduler.core import effects as e
from warpcore.services.scheduler.core.wording import changed_settings, counted, value_in_words

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

LONGEST_DETAIL = 1000
"""Characters of what an entry tells."""
_SHOWN = 10
"""Movies of one request that are named; of more only their number is told."""

OF_SERVICES = frozenset(
    {wire.RegisterFiles, wire.ExportCollected, wire.NoteAudit, wire.ReportPool, wire.DrainPoolWorker}
)
"""Requests that discoverer, tracker, API and pools make of themselves: no person asks them."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was changed. Where several requests make one change, `part_of` names it, and their `movies` are added up."""

    text: str
    movies: int = 0
    part_of: str = ""

    def in_words(self) -> str:
        """`412 movies: exclude`."""
        if not self.movies:
            return self.text
        return f"{counted(self.movies)}: {self.text}"


Effects = list[e.Effect]
Words = Callable[[Any, Effects], Deed | None]
"""What a message with these effects has changed; None where it has changed nothing."""

WORDS: dict[type[Message], Words] = {}
"""The words of each request that a person makes and that changes something."""


def words(*messages: type[Message]) -> Callable[[F], F]:
    """Decorator: this function says what these requests have changed."""

    def register(function: F) -> F:
        for message in messages:
            if message in WORDS:
                raise ValueError(f"{message.TYPE} has words twice: {WORDS[message]} and {function}")
            WORDS[message] = function
        return function

    return register


def _all(effects: Iterable[e.Effect], kind: type[T]) -> list[T]:
    return [one for one in effects if isinstance(one, kind)]


def _answer(effects: Effects, kind: type[T]) -> T | None:
    """The answer, where it is of this type: an error changes nothing."""
    return next((one.message for one in _all(effects, e.Reply) if isinstance(one.message, kind)), None)


# --- settings --------------------------------------------------------------------------------------------------------


@words(wire.PatchSettings, wire.PutSettings)
def _settings(message: wire.PatchSettings | wire.PutSettings, effects: Effects) -> Deed | None:
    saved = [one.row for one in _all(effects, e.SaveRevision)]
    return Deed(f"settings {saved[0].revision}: {changed_settings(saved[0], LONGEST_DETAIL)}") if saved else None


@words(wire.SaveProfile)
def _profile_saved(message: wire.SaveProfile, effects: Effects) -> Deed | None:
    what = "the settings in force" if message.settings is None else "other settings than those in force"
    return Deed(f"profile {message.name} saved: {what}") if _all(effects, e.SaveProfile) else None


@words(wire.DeleteProfile)
def _profile_deleted(message: wire.DeleteProfile, effects: Effects) -> Deed | None:
    return Deed(f"profile {message.name} deleted") if _all(effects, e.DropProfile) else None


# --- processing ------------------------------------------------------------------------------------------------------


@words(wire.StartProcessing)
def _started(message: wire.StartProcessing, effects: Effects) -> Deed | None:
    return Deed("processing goes on") if _all(effects, e.SavePaused) else None


@words(wire.PauseProcessing)
def _paused(message: wire.PauseProcessing, effects: Effects) -> Deed | None:
    return Deed("processing is paused") if _all(effects, e.SavePaused) else None


@words(wire.OrderProcessing)
def _ordered(message: wire.OrderProcessing, effects: Effects) -> Deed | None:
    return Deed(f"movies run in the order {message.order}") if _all(effects, e.SaveOrder) else None


@words(wire.SetPool)
def _pool_set(message: wire.SetPool, effects: Effects) -> Deed | None:
    saved = _all(effects, e.SavePool)
    return Deed(saved[0].told) if saved else None


@words(wire.AcknowledgeAlarm)
def _seen(message: wire.AcknowledgeAlarm, effects: Effects) -> Deed | None:
    told = [one.body["alarm"] for one in _all(effects, e.Publish) if one.topic == "alarm.acknowledged"]
    return Deed(f"alarm seen: {told[0]['title'] or told[0]['text']}") if told else None


# --- movies ----------------------------------------------------------------------------------------------------------


@words(wire.SelectItem)
def _chosen(message: wire.SelectItem, effects: Effects) -> Deed | None:
    item = _answer(effects, wire.Item)
    return Deed(f"{item.movie.name}: {message.selection}") if item and _all(effects, e.SaveSelection) else None


@words(wire.SelectItems)
def _chosen_many(message: wire.SelectItems, effects: Effects) -> Deed | None:
    answer = _answer(effects, wire.SelectionChanged)
    if answer is None or not answer.changed:
        return None
    return Deed(f"{message.selection} (change {answer.undo})", answer.changed, answer.undo)


@words(wire.UndoSelection)
def _taken_back(message: wire.UndoSelection, effects: Effects) -> Deed | None:
    answer = _answer(effects, wire.SelectionUndone)
    if answer is None:
        return None
    return Deed(f"change {message.undo} of selections taken back", answer.changed, message.undo)


@words(wire.RetryItem)
def _retried(message: wire.RetryItem, effects: Effects) -> Deed | None:
    item = _answer(effects, wire.Item)
    return Deed(f"{item.movie.name}: run again{_with_all_steps(message.force)}") if item else None


@words(wire.RetryItems)
def _retried_many(message: wire.RetryItems, effects: Effects) -> Deed | None:
    answer = _answer(effects, wire.ItemsRetried)
    if answer is None or not answer.retried:
        return None
    kind = f" after {message.kind} failures" if message.kind is not None else ""
    text = f"run again{kind}{_with_all_steps(message.force)}"
    return Deed(text, answer.retried, part_of=text)


def _with_all_steps(force: bool) -> str:
    return ", all steps" if force else ""


@words(wire.ForgetItems)
def _forgotten(message: wire.ForgetItems, effects: Effects) -> Deed | None:
    names = [one.name for one in _all(effects, e.DropMovie)]
    if not names:
        return None
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return Deed(f"forgotten ({shown})", len(names))


@words(wire.PrioritiseItem)
def _prioritised(message: wire.PrioritiseItem, effects: Effects) -> Deed | None:
    item = _answer(effects, wire.Item)
    if item is None or item.movie.id not in [one.row.id for one in _all(effects, e.SaveMovie)]:
        return None
    ahead = ", ahead of all others" if message.first else ""
    return Deed(f"{item.movie.name}: priority {item.movie.priority}{ahead}")


@words(wire.SetItemPicks)
def _picks_edited(message: wire.SetItemPicks, effects: Effects) -> Deed | None:
    answer = _answer(effects, wire.ItemPicks)
    if answer is None or not _all(effects, e.SaveHandPicks):
        return None
    hand = answer.hand
    text = f"{answer.name}: picks edited by hand: {len(hand.added)} added, {len(hand.removed)} removed"
    return Deed(text, part_of=answer.name)


@words(wire.UndoItemPicks)
def _picks_taken_back(message: wire.UndoItemPicks, effects: Effects) -> Deed | None:
    answer = _answer(effects, wire.ItemPicks)
    return Deed(f"{answer.name}: edits of picks taken back") if answer and _all(effects, e.SaveHandPicks) else None


# --- tries and exports -----------------------------------------------------------------------------------------------


@words(wire.StartTry)
def _tried(message: wire.StartTry, effects: Effects) -> Deed | None:
    answer = _answer(effects, wire.Try)
    return Deed(f"{answer.id} of {answer.name}: {_named_values(answer.settings)}") if answer else None


@words(wire.DeleteTry)
def _try_deleted(message: wire.DeleteTry, effects: Effects) -> Deed | None:
    answer = _answer(effects, wire.Try)
    return Deed(f"{answer.id} of {answer.name} deleted") if answer else None


@words(wire.StartExport)
def _exported(message: wire.StartExport, effects: Effects) -> Deed | None:
    job = _answer(effects, wire.ExportJob)
    if job is None:
        return None
    options = f", {_named_values(job.options)}" if job.options else ""
    return Deed(f"{job.job}: {job.kind} of {counted(job.total)}{options}")


@words(wire.CancelExport)
def _cancelled(message: wire.CancelExport, effects: Effects) -> Deed | None:
    job = _answer(effects, wire.ExportJob)
    return Deed(f"{job.job} ({job.kind}) cancelled") if job and _all(effects, e.SaveExport) else None


@words(wire.DeleteExport)
def _export_deleted(message: wire.DeleteExport, effects: Effects) -> Deed | None:
    job = _answer(effects, wire.ExportJob)
    changed = _all(effects, e.SaveExport)
    return Deed(f"{job.job} ({job.kind}) deleted, with its folder") if job and changed else None


def _named_values(settings: dict[str, Any]) -> str:
    """`ctf.range_max = 5.0, …` of nested maps of settings."""
    named: list[str] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            named += [f"{name}.{inner} = {value_in_words(one)}" for inner, one in value.items()]
        else:
            named.append(f"{name} = {value_in_words(value)}")
    return ", ".join(named)
