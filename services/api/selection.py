"""`/api/selection`, `/api/retry` and `/api/forget`: what users ask of many movies at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from warpcore.bus.client import RefusedError
from warpcore.bus.limits import MOST_CHOSEN, MOST_RETRIED
from warpcore.bus.messages import (
    ForgetItems,
    GetSelections,
    ItemsForgotten,
    ItemsRetried,
    RetryItems,
    SelectionChanged,
    Selections,
    SelectionUndone,
    SelectItems,
    UndoSelection,
)
from warpcore.bus.portions import portions
from warpcore.bus.vocabulary import FailureKind, Selection
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_field
from warpcore.services.api.fresh import ids_matching
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.filtering import Filter, QueryError, parse_filter
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import LARGEST_NUMBER, By
from warpcore.services.api.views import (
    ForgottenView,
    RefusedMovie,
    RetriedView,
    SelectedView,
    SelectionChangesView,
    SelectionChangeView,
    UndoneView,
)

Ids = Annotated[list[Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)]], Meta(description="Numbers of movies.")]
Names = Annotated[list[str], Meta(description="Names of movies.")]
Filters = Annotated[
    Annotated[list[str], Meta(min_length=1)] | None,
    Meta(description="All movies for which all of these hold, as those of `GET /api/items`."),
]
_REFUSED = {404: "A movie is unknown.", 422: "A filter cannot be."}


class SelectionRequest(Body, frozen=True):
    """A choice for many movies."""

    selection: Selection
    ids: Ids = field(default_factory=list)
    names: Names = field(default_factory=list)
    filter: Filters = None
    by: By = ""


class UndoRequest(Body, frozen=True):
    """Which change to take back."""

    undo: Annotated[str, Meta(description="What the change was answered with.")]


class RetryRequest(Body, frozen=True):
    """Which movies are tried again: those of `ids`, `names` and `filter`; where none is given, all that have failed."""

    kind: Annotated[FailureKind | None, Meta(description="Only movies with a failure of this kind.")] = None
    ids: Ids | None = None
    names: Names | None = None
    filter: Filters = None
    force: Annotated[bool, Meta(description="Run all steps again, also those of chosen processed movies.")] = False


class ForgetRequest(Body, frozen=True):
    """Which failed movies are forgotten: those of `ids`, `names` and `filter`."""

    ids: Ids = field(default_factory=list)
    names: Names = field(default_factory=list)
    filter: Filters = None
    by: By = ""


class _Choosing:
    """What finds the movies that a body chooses."""

    def __init__(self, scheduler: Scheduler, mirror: Mirror, feed: Feed) -> None:
        self._scheduler = scheduler
        self._mirror = mirror
        self._feed = feed

    async def _chosen(self, body: SelectionRequest | RetryRequest | ForgetRequest, most: int) -> list[dict[str, Any]]:
        """The movies of a body, at most `most` at a time. Raises Problem 422, NoAnswerError."""
        ids = list(body.ids or [])
        if body.filter is not None:
            ids += await ids_matching(self._scheduler, self._mirror, self._feed, _filters(body.filter))
        named = portions(body.names or [], most)
        return [*({"ids": some} for some in portions(ids, most)), *({"names": some} for some in named)]


class SelectionResource(_Choosing):
    """`/api/selection`."""

    @operation()
    async def on_get(self) -> SelectionChangesView:
        """The changes that can be taken back."""
        found = await ask(self._scheduler, GetSelections(), Selections)
        return SelectionChangesView(changes=[SelectionChangeView.of_change(one) for one in found.changes])

    @operation(errors=_REFUSED)
    async def on_post(self, body: SelectionRequest) -> SelectedView:
        """Include or exclude many movies, or leave them to the filter.

        They go to the scheduler in portions: where it ends between two of them, some movies are as they were. Where it
        refuses one of them, nothing has changed.
        """
        changed, undo = 0, ""
        for movies in await self._chosen(body, MOST_CHOSEN):
            message = SelectItems(body.selection, **movies, undo=undo, by=body.by)
            try:
                reply = await ask(self._scheduler, message, SelectionChanged)
            except RefusedError:
                if undo:
                    await _take_back(self._scheduler, undo)
                raise
            changed, undo = changed + reply.changed, reply.undo
        return SelectedView(changed=changed, undo=undo)


class UndoResource:
    """`/api/selection/undo`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors={404: "The change was taken back already, or is too old."})
    async def on_post(self, body: UndoRequest) -> UndoneView:
        """Give movies of a change their former selection back; one that was chosen anew since stays as it is."""
        return await _take_back(self._scheduler, body.undo)


class RetryResource(_Choosing):
    """`/api/retry`."""

    @operation(errors=_REFUSED)
    async def on_post(self, body: RetryRequest) -> RetriedView:
        """Queue many failed movies again, and forget their failures."""
        if body.ids is None and body.names is None and body.filter is None:
            messages = [RetryItems(body.kind, force=body.force)]
        else:
            messages = [
                RetryItems(body.kind, **some, force=body.force) for some in await self._chosen(body, MOST_RETRIED)
            ]
        retried, refused = 0, []
        while messages:
            message = messages.pop(0)
            reply = await ask(self._scheduler, message, ItemsRetried)
            retried += reply.retried
            refused += [RefusedMovie(**one) for one in reply.refused]
            if reply.next_after is not None:
                messages.append(RetryItems(body.kind, force=body.force, after=reply.next_after))
        return RetriedView(retried=retried, refused=refused)


class ForgetResource(_Choosing):
    """`/api/forget`."""

    @operation(errors=_REFUSED)
    async def on_post(self, body: ForgetRequest) -> ForgottenView:
        """Take failed movies out of the session. A file that is still there, or comes back, is found anew."""
        forgotten, refused = 0, []
        for movies in await self._chosen(body, MOST_RETRIED):
            reply = await ask(self._scheduler, ForgetItems(**movies, by=body.by), ItemsForgotten)
            forgotten += reply.forgotten
            refused += [RefusedMovie(**one) for one in reply.refused]
        return ForgottenView(forgotten=forgotten, refused=refused)


def routes(scheduler: Scheduler, mirror: Mirror, feed: Feed) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/selection": SelectionResource(scheduler, mirror, feed),
        "/api/selection/undo": UndoResource(scheduler),
        "/api/retry": RetryResource(scheduler, mirror, feed),
        "/api/forget": ForgetResource(scheduler, mirror, feed),
    }


async def _take_back(scheduler: Scheduler, undo: str) -> UndoneView:
    """Take a change back, in as many portions as it was made. Raises RefusedError."""
    changed, kept, left = 0, 0, 1
    while left:
        reply = await ask(scheduler, UndoSelection(undo), SelectionUndone)
        changed, kept, left = changed + reply.changed, kept + reply.kept, reply.left
    return UndoneView(changed=changed, kept=kept)


def _filters(texts: Sequence[str]) -> list[Filter]:
    """The filters of a body. Raises Problem 422."""
    filters = []
    for text in texts:
        try:
            filters.append(parse_filter(text))
        except QueryError as error:
            raise bad_field("filter", text, str(error)) from None
    return filters
