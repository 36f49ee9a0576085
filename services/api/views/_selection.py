"""Choices for many movies at once."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from warpcore.bus.messages import Selections
from warpcore.bus.vocabulary import Selection
from warpcore.services.api.views._naming import Count, Time, View, utc


class SelectedView(View, frozen=True):
    """A change of selections."""

    changed: Annotated[Count, Meta(description="Movies that have another selection now.")]
    undo: Annotated[str, Meta(description="Takes it back; empty where nothing has changed.")]


class UndoneView(View, frozen=True):
    """A change of selections that was taken back."""

    changed: Annotated[Count, Meta(description="Movies that have their former selection back.")]
    kept: Annotated[Count, Meta(description="Movies that were chosen anew since, and stay so.")]


class SelectionChangeView(View, frozen=True):
    """A change of selections that can be taken back."""

    undo: Annotated[str, Meta(description="Its name for `POST /api/selection/undo`.")]
    selection: Selection
    movies: Annotated[Count, Meta(description="How many were chosen.")]
    at: Time
    by: Annotated[str, Meta(description="Who asked, as `by` said it.")]


class SelectionChangesView(View, frozen=True):
    """The changes of selections that can be taken back."""

    changes: Annotated[list[SelectionChangeView], Meta(description="The newest first.")]

    @classmethod
    def of_changes(cls, told: Selections) -> Self:
        """The view of the changes."""
        return cls(changes=[SelectionChangeView.of(one, at=utc(one.at)) for one in told.changes])


class RefusedMovie(View, frozen=True):
    """A movie that cannot be retried."""

    name: str
    problem: str


class RetriedView(View, frozen=True):
    """Movies that were to be tried again."""

    retried: Annotated[Count, Meta(description="Movies that wait again.")]
    refused: list[RefusedMovie]
