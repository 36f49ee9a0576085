"""The user's own choice for many movies at once, and its undoing."""

from __future__ import annotations

from msgspec import field

from warpcore.bus.schema import Message, Port, message, part
from warpcore.bus.vocabulary import Selection


@message("selection.changed")
class SelectionChanged(Message, frozen=True):
    """How many movies have another selection now. `undo` takes it back; empty where none has."""

    changed: int
    undo: str


@message("items.select", port=Port.CONTROL, answers=(SelectionChanged,))
class SelectItems(Message, frozen=True):
    """Set the user's own choice for these movies: at most 500 in a message, all or (one is unknown) none.

    More go in several messages: those that follow carry the `undo` of the first, so that one undo takes back all.
    """

    selection: Selection
    ids: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    undo: str = ""
    by: str = ""


@message("selection.undone")
class SelectionUndone(Message, frozen=True):
    """How many movies have their former selection back, and how many keep one that they were given since.

    `left` movies of the change still wait: ask again.
    """

    changed: int
    kept: int
    left: int


@message("selection.undo", port=Port.CONTROL, answers=(SelectionUndone,))
class UndoSelection(Message, frozen=True):
    """Take back a change of selections, at most 500 movies a message. Unknown or undone: error `not_found`."""

    undo: str


@part
class SelectionChange(Message, frozen=True):
    """A change that can be taken back: what was chosen for how many movies, when (epoch seconds) and by whom."""

    undo: str
    selection: Selection
    movies: int
    at: float
    by: str


@message("selections")
class Selections(Message, frozen=True):
    """The changes of selections that can be taken back, newest first."""

    changes: list[SelectionChange]


@message("selections.get", port=Port.CONTROL, answers=(Selections,))
class GetSelections(Message, frozen=True):
    """The changes of selections that can be taken back."""
