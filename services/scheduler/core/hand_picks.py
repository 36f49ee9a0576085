"""A person's own edits of a movie's picks: replaced as a whole, taken back one by one, kept through every run."""

from __future__ import annotations

import math

from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_HAND_PICKS
from warpcore.bus.vocabulary import DONE, ErrorCode, MovieStatus
from warpcore.services.scheduler.core import rows, tasks
from warpcore.services.scheduler.core.effects import SaveHandPicks
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import HandPicksRecord, MovieRecord
from warpcore.services.scheduler.core.requests import named
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.hand_picks import edits_id
from warpcore.services.steps import picking
from warpcore.services.steps.step import INPUT

MOST_FORMER = 10
"""Edits of a movie that can be brought back."""


@handles(wire.GetItemPicks, reads=True)
def get(state: State, message: wire.GetItemPicks) -> None:
    """A person's edits of a movie's picks."""
    movie = named(state, message.name)
    if movie is not None:
        _reply(state, movie)


@handles(wire.SetItemPicks)
def edit(state: State, message: wire.SetItemPicks) -> None:
    """Replaces a person's edits of a movie's picks; the picks are made anew from the kept scores.

    Edits that held before take back all that came since, so that an undo afterwards goes on from there.
    """
    movie = named(state, message.name)
    if movie is None:
        return
    if problem := _why_no_edit(state, movie):
        state.reply(wire.Error(ErrorCode.CONFLICT, problem))
        return
    size = movie.results[INPUT]
    edits = wire.HandPicks(message.added, message.removed, size["width"], size["height"])
    if fault := _fault(edits):
        state.reply(wire.Error(ErrorCode.INVALID, fault))
        return
    before = _record(state, movie)
    if edits_id(edits) != movie.hand_picks:
        former = _former(before, edits)[-MOST_FORMER:]
        text = f"picks edited by hand: {len(edits.added)} added, {len(edits.removed)} removed"
        _adopt(state, movie, HandPicksRecord(movie.id, edits, former), text)
    _reply(state, movie)


@handles(wire.UndoItemPicks)
def undo(state: State, message: wire.UndoItemPicks) -> None:
    """Brings a person's edits of before back; kept outputs that fit them are put back, and nothing runs."""
    movie = named(state, message.name)
    if movie is None:
        return
    before = _record(state, movie)
    if not before.former:
        state.reply(wire.Error(ErrorCode.CONFLICT, f"the picks of {movie.name} have no earlier edits to go back to"))
        return
    *former, present = before.former
    _adopt(state, movie, HandPicksRecord(movie.id, present, former), "edits of picks taken back")
    _reply(state, movie)


def _adopt(state: State, movie: MovieRecord, record: HandPicksRecord, why: str) -> None:
    """Let these edits hold. A movie that runs follows once it has ended, as after a change of settings."""
    state.hand_picks[movie.id] = record
    movie.hand_picks = edits_id(record.present)
    state.effects.append(SaveHandPicks(rows.hand_picks_row(record)))
    if movie.status in DONE or (movie.status == MovieStatus.OUTDATED and not movie.restoring):
        tasks.reconsider(state, movie, why)
    else:
        movie.tell(state.seq, state.wall, why)
        state.changed(movie)


def _former(before: HandPicksRecord, edits: wire.HandPicks) -> list[wire.HandPicks]:
    """What can be brought back once these edits hold, oldest first."""
    names = [edits_id(one) for one in before.former]
    name = edits_id(edits)
    return before.former[: names.index(name)] if name in names else [*before.former, before.present]


def _record(state: State, movie: MovieRecord) -> HandPicksRecord:
    return state.hand_picks.get(movie.id) or HandPicksRecord(movie.id)


def _reply(state: State, movie: MovieRecord) -> None:
    record = _record(state, movie)
    state.reply(wire.ItemPicks(movie.name, record.present, len(record.former)))


def _why_no_edit(state: State, movie: MovieRecord) -> str:
    """Why a movie's picks cannot be edited now, "" where they can."""
    if not state.settings.runs(picking.STEP.name):
        return "nothing is picked; set picking.diameter first"
    size = movie.results.get(INPUT) or {}
    if not size.get("width") or not size.get("height"):
        return f"{movie.name} has no average to pick on yet: it is {movie.status}"
    return ""


def _fault(edits: wire.HandPicks) -> str:
    """Why these edits cannot be, "" where they can."""
    for what, positions in (("added", edits.added), ("removed", edits.removed)):
        if len(positions) > MOST_HAND_PICKS:
            return f"{len(positions)} picks {what}; at most {MOST_HAND_PICKS} can be"
        for x, y in positions:
            inside = -0.5 <= x <= edits.width - 0.5 and -0.5 <= y <= edits.height - 0.5
            if not inside or not math.isfinite(x + y):
                return f"{what}: ({x:g}, {y:g}) is not on the average of {edits.width} × {edits.height} px"
    return ""
