"""`/api/selection` and `/api/retry`: what users ask of many movies at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from msgspec import Meta

from warpcore.bus.messages import (
    GetSelections,
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
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import AskedBy
from warpcore.services.api.views import RetriedView, SelectedView, SelectionChangesView, UndoneView

Names = Annotated[list[str] | None, Meta(description="Names of movies.")]
Number = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Numbers = Annotated[list[Number] | None, Meta(description="Numbers of movies, the `id` of each.")]
_NOT_NULL = [
    {"required": [name], "properties": {name: {"type": kind}}}
    for name, kind in (("names", "array"), ("ids", "array"), ("kind", "string"))
]


class SelectManyBody(Body, frozen=True):
    """The user's own choice, and for which movies: `names`, `ids` or both."""

    selection: Selection
    names: Names = None
    ids: Numbers = None


class UndoBody(Body, frozen=True):
    """Which change is taken back."""

    undo: Annotated[str, Meta(description="The `undo` that the change was answered with.")]


class RetryManyBody(Body, frozen=True):
    """Which movies are tried again: some by names or ids, those of a kind of failure, or all that have failed."""

    kind: FailureKind | None = None
    names: Names = None
    ids: Numbers = None
    failed: Annotated[bool, Meta(description="All that have failed; without any other choice.")] = False
    force: Annotated[bool, Meta(description="Run all steps again, also those of processed movies that are named.")] = (
        False
    )


SomeMovies = Annotated[SelectManyBody, Meta(extra_json_schema={"anyOf": _NOT_NULL[:2]})]
SomeOrAll = Annotated[
    RetryManyBody,
    Meta(
        extra_json_schema={
            "oneOf": [
                {
                    "required": ["failed"],
                    "properties": {
                        "failed": {"const": True},
                        **{name: {"type": "null"} for name in ("kind", "names", "ids")},
                    },
                },
                {"properties": {"failed": {"const": False}}, "anyOf": _NOT_NULL},
            ]
        }
    ),
]


class ManySelectionResource:
    """`/api/selection`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> SelectionChangesView:
        """The changes of selections that can be taken back, newest first."""
        return SelectionChangesView.of_changes(await ask(self._scheduler, GetSelections(), Selections))

    @operation(errors={404: "A movie is unknown."})
    async def on_post(self, query: AskedBy, body: SomeMovies) -> SelectedView:
        """Include or exclude many movies, or leave them to the filter.

        Very many go to the scheduler in portions: a restart of it between them may leave some undone.
        """
        if body.names is None and body.ids is None:
            raise bad_field("names", None, "give the names of movies, or their ids")
        changed, undo = 0, ""
        for movies in _chosen(body):
            message = SelectItems(body.selection, **movies, undo=undo, by=query.by)
            reply = await ask(self._scheduler, message, SelectionChanged)
            changed, undo = changed + reply.changed, reply.undo
        return SelectedView(changed=changed, undo=undo)


class UndoResource:
    """`/api/selection/undo`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors={404: "There is no such change, or it was taken back."})
    async def on_post(self, body: UndoBody) -> UndoneView:
        """Take a change of selections back: the former ones return, but of movies that were chosen anew since."""
        changed = kept = 0
        left = 1
        while left:
            reply = await ask(self._scheduler, UndoSelection(body.undo), SelectionUndone)
            changed, kept, left = changed + reply.changed, kept + reply.kept, reply.left
        return UndoneView(changed=changed, kept=kept)


class ManyRetryResource:
    """`/api/retry`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors={404: "A movie is unknown."})
    async def on_post(self, body: SomeOrAll) -> RetriedView:
        """Queue failed movies again: by kind of failure, by name or number, or all of them."""
        named = body.names is not None or body.ids is not None
        if body.failed == (body.kind is not None or named):
            raise bad_field("failed", body.failed, "give a kind, names or ids, or failed: true for all")
        replies = [reply async for reply in (self._retry_named(body) if named else self._retry_failed(body))]
        refused = [one for reply in replies for one in reply.refused]
        return RetriedView.of(ItemsRetried(sum(reply.retried for reply in replies), refused))

    async def _retry_named(self, body: RetryManyBody) -> AsyncIterator[ItemsRetried]:
        for movies in _chosen(body):
            yield await ask(self._scheduler, RetryItems(body.kind, **movies, force=body.force), ItemsRetried)

    async def _retry_failed(self, body: RetryManyBody) -> AsyncIterator[ItemsRetried]:
        after: int | None = 0
        while after is not None:
            reply = await ask(self._scheduler, RetryItems(body.kind, force=body.force, after=after), ItemsRetried)
            yield reply
            after = reply.next_after


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/selection": ManySelectionResource(scheduler),
        "/api/selection/undo": UndoResource(scheduler),
        "/api/retry": ManyRetryResource(scheduler),
    }


def _chosen(body: SelectManyBody | RetryManyBody) -> Sequence[dict[str, Any]]:
    """The movies of a body, as many at a time as a message takes."""
    ids, names = portions(body.ids or []), portions(body.names or [])
    return [*({"ids": some} for some in ids), *({"names": some} for some in names)]
