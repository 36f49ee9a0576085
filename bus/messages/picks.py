"""A person's own edits of a movie's picks."""

from __future__ import annotations

from msgspec import field

from warpcore.bus.schema import Message, Port, message, part

Position = tuple[float, float]
"""x, y in px of the average, the centre of pixel 0 at 0."""


@part
class HandPicks(Message, frozen=True):
    """Picks added, and picks of the picker's removed, at these positions of an average of `width` × `height` px."""

    added: list[Position] = field(default_factory=list)
    removed: list[Position] = field(default_factory=list)
    width: int = 0
    height: int = 0


@message("item.picks")
class ItemPicks(Message, frozen=True):
    """The edits of a movie's picks that hold, and how many times `item.picks.undo` brings the ones before back."""

    name: str
    hand: HandPicks
    former: int


@message("item.picks.get", port=Port.CONTROL, answers=(ItemPicks,))
class GetItemPicks(Message, frozen=True):
    """A person's edits of a movie's picks. Unknown name: error `not_found`."""

    name: str


@message("item.picks.set", port=Port.CONTROL, answers=(ItemPicks,))
class SetItemPicks(Message, frozen=True):
    """Replace the edits of a movie's picks; the movie's picks, and what is made of them, are made anew.

    Positions are in px of its present average. They stay through every run of picking: what is found within a quarter
    of a diameter of a removed position stays removed. Positions outside, or too many: error `invalid`.
    """

    name: str
    added: list[Position] = field(default_factory=list)
    removed: list[Position] = field(default_factory=list)


@message("item.picks.undo", port=Port.CONTROL, answers=(ItemPicks,))
class UndoItemPicks(Message, frozen=True):
    """Bring the edits before the present ones back. There are none: error `conflict`."""

    name: str
