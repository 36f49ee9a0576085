"""Choices for many movies at once."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from warpcore.bus.messages import SelectionChange
from warpcore.bus.vocabulary import Selection
from warpcore.services.api.views._naming import Count, Time, View, utc

Undo = Annotated[str, Meta(description="Takes the change back: `POST /api/selection/undo`.")]


class SelectedView(View, frozen=True):
    """What a choice for many movies has changed."""

    changed: Annotated[Count, Meta(description="Movies that have another selection now.")]
    undo: Annotated[str, Meta(description="Takes the change back; empty where there was none.")]


class UndoneView(View, frozen=True):
    """What an undo has changed."""

    changed: Annotated[Count, Meta(description="Movies that have their former selection back.")]
    kept: Annotated[Count, Meta(description="Movies that keep a selection that they were given since.")]


class SelectionChangeView(View, frozen=True):
    """A change of selections that can be taken back."""

    undo: Undo
    selection: Selection
    movies: Count
    at: Time
    by: Annotated[str, Meta(description="Who asked for it.")]

    @classmethod
    def of_change(cls, change: SelectionChange) -> Self:
        """The view of a change."""
        return cls.of(change, at=utc(change.at))


class SelectionChangesView(View, frozen=True):
    """The changes of selections that can be taken back."""

    changes: Annotated[list[SelectionChangeView], Meta(description="The newest first.")]


class RefusedMovie(View, frozen=True):
    """A movie for which that cannot be done now."""

    name: str
    problem: str


class ForgottenView(View, frozen=True):
    """What became of movies that were to be forgotten."""

    forgotten: Annotated[Count, Meta(description="Movies that the session no longer has.")]
    refused: list[RefusedMovie]


class RetriedView(View, frozen=True):
    """What a retry of many movies has done."""

    retried: Annotated[Count, Meta(description="Movies that wait again.")]
    refused: list[RefusedMovie]
