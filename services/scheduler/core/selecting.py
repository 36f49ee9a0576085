"""The user's own choice for movies, one or many, with a journal by which each change can be taken back."""

from __future__ import annotations

from collections.abc import Iterable

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import DONE, ErrorCode, Selection
from warpcore.services.scheduler.core import exporting, rows, tasks
from warpcore.services.scheduler.core.effects import DropSelection, SaveSelection
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import MovieRecord, SelectionRecord
from warpcore.services.scheduler.core.requests import named, named_many, reply_item
from warpcore.services.scheduler.core.state import State

MOST_RECORDS = 1000
"""Records that the journal keeps; the oldest change goes first."""


@handles(wire.SelectItem)
def select(state: State, message: wire.SelectItem) -> None:
    """Sets the user's own choice: auto, include or exclude."""
    movie = named(state, message.name)
    if movie is not None:
        _choose(state, [movie], message.selection, message.by)
        reply_item(state, movie)


@handles(wire.SelectItems)
def select_many(state: State, message: wire.SelectItems) -> None:
    """Sets the user's own choice for many movies; one undo takes all of it back."""
    undo = 0
    if message.undo:
        records = _undoable(state, message.undo)
        if not records:
            return
        undo = records[0].undo
    movies = named_many(state, message.ids, message.names)
    if movies is not None:
        record = _choose(state, movies, message.selection, message.by, undo)
        changed, undo = (len(record.former), record.undo) if record is not None else (0, undo)
        state.reply(wire.SelectionChanged(changed, str(undo or "")))


@handles(wire.UndoSelection)
def undo(state: State, message: wire.UndoSelection) -> None:
    """Gives movies of a change their former selection back, except those chosen anew since."""
    records = _undoable(state, message.undo)
    if not records:
        return
    record = records[-1]
    changed = 0
    for id, (selection, number) in record.former.items():
        movie = state.movies.get(id)
        if movie is not None and movie.chosen_in == record.number:
            _set(state, movie, selection, number, f"selection: {selection} again")
            changed += 1
    _drop(state, [record])
    left = sum(len(one.former) for one in records[:-1])
    state.reply(wire.SelectionUndone(changed, len(record.former) - changed, left))


@handles(wire.GetSelections, reads=True)
def changes(state: State, message: wire.GetSelections) -> None:
    """The changes of selections that can be taken back."""
    shown: dict[int, wire.SelectionChange] = {}
    for one in state.selections.values():
        movies = len(one.former) + (shown[one.undo].movies if one.undo in shown else 0)
        shown[one.undo] = wire.SelectionChange(str(one.undo), one.selection, movies, one.at, one.by)
    state.reply(wire.Selections(list(reversed(shown.values()))))


def _choose(
    state: State, movies: list[MovieRecord], selection: Selection, by: str, undo: int = 0
) -> SelectionRecord | None:
    """Set the selection of those that have another, and note what they had; None where all have it already."""
    movies = [movie for movie in movies if movie.selection != selection]
    if not movies:
        return None
    number = state.seq + 1
    former = {movie.id: (movie.selection, movie.chosen_in) for movie in movies}
    record = SelectionRecord(number, undo or number, state.wall, by, selection, former)
    for movie in movies:
        _set(state, movie, selection, number, f"selection: {selection}")
    state.selections[number] = record
    state.effects.append(SaveSelection(rows.selection_row(record)))
    if len(state.selections) > MOST_RECORDS:
        oldest = next(iter(state.selections.values())).undo
        _drop(state, [one for one in state.selections.values() if one.undo == oldest])
    return record


def _set(state: State, movie: MovieRecord, selection: Selection, number: int, told: str) -> None:
    movie.selection, movie.chosen_in = selection, number
    movie.tell(state.seq, state.wall, told)
    if movie.status in DONE:
        tasks.settle(state, movie, f"selection {selection}")
    else:
        state.changed(movie)
        exporting.release_held(state, movie)


def _undoable(state: State, undo: str) -> list[SelectionRecord]:
    """The records of a change, oldest first; where there are none, an error is answered."""
    records = [one for one in state.selections.values() if str(one.undo) == undo]
    if not records:
        text = f"there is no change of selections {undo[:100]!r} to take back: it was taken back, or is too old"
        state.reply(wire.Error(ErrorCode.NOT_FOUND, text))
    return records


def _drop(state: State, records: Iterable[SelectionRecord]) -> None:
    for one in records:
        del state.selections[one.number]
        state.effects.append(DropSelection(one.number))
