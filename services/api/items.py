"""`/api/items/…`: one movie, its results, and the user's choices; counts of all."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.bus.limits import HIGHEST_PRIORITY
from warpcore.bus.messages import (
    GetItem,
    GetSummary,
    Item,
    PrioritiseItem,
    RetryItem,
    SelectItem,
    Summary,
)
from warpcore.bus.vocabulary import Selection
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_field
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import By
from warpcore.services.api.views import ItemView, SummaryView, TimestampView

MovieName = Annotated[
    str,
    Meta(
        description="The movie's name; slashes of a sub-folder are plain or %2F: `grid1/a`. Also its number, as `~12`. "
        "Movies called `summary` and `timestamp` are `~/summary` and `~/timestamp`; the movie `a/log` is `a%2Flog`.",
    ),
]
NO_MOVIE = {404: "No movie has this name."}


class SelectionBody(Body, frozen=True):
    """The user's own choice for a movie."""

    selection: Selection
    by: By = ""


class RetryBody(Body, frozen=True):
    """How a movie is tried again."""

    force: Annotated[bool, Meta(description="Run all steps again, also those of a processed movie.")] = False


class PriorityBody(Body, frozen=True):
    """Either a priority, or `first`."""

    priority: Annotated[
        Annotated[int, Meta(ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY)] | None,
        Meta(description="Higher goes first, 0 is ordinary."),
    ] = None
    first: Annotated[bool, Meta(description="Ahead of all other movies that wait.")] = False


EitherPriority = Annotated[
    PriorityBody,
    Meta(
        extra_json_schema={
            "oneOf": [
                {"required": ["priority"], "properties": {"priority": {"type": "integer"}, "first": {"const": False}}},
                {"required": ["first"], "properties": {"priority": {"type": "null"}, "first": {"const": True}}},
            ]
        }
    ),
]


class ItemResource:
    """`/api/items/{name}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors=NO_MOVIE)
    async def on_get(self, name: MovieName) -> ItemView:
        """One movie with its results, the story of its transitions, and what results of steps that learn go by."""
        return ItemView.of_item(await ask(self._scheduler, GetItem(name), Item))


class SelectionResource:
    """`/api/items/{name}/selection`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors=NO_MOVIE)
    async def on_put(self, name: MovieName, body: SelectionBody) -> ItemView:
        """Include or exclude a movie, or leave it to the filter."""
        return ItemView.of_item(await ask(self._scheduler, SelectItem(name, body.selection, body.by), Item))


class RetryResource:
    """`/api/items/{name}/retry`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(optional_body=True, errors={**NO_MOVIE, 409: "It has not failed, is with a worker or is excluded."})
    async def on_post(self, name: MovieName, body: RetryBody) -> ItemView:
        """Queue a failed movie again, and forget its failures."""
        return ItemView.of_item(await ask(self._scheduler, RetryItem(name, body.force), Item))


class PriorityResource:
    """`/api/items/{name}/priority`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors={**NO_MOVIE, 409: "The movie does not wait: it runs, is done, has failed or is excluded."})
    async def on_post(self, name: MovieName, body: EitherPriority) -> ItemView:
        """Put a waiting movie ahead of others: `{"first": true}`, or a number, of which the higher goes first."""
        if (body.priority is None) != body.first:
            raise bad_field("priority", body.priority, "give a whole number, or first: true without a priority")
        return ItemView.of_item(await ask(self._scheduler, PrioritiseItem(name, body.priority or 0, body.first), Item))


class SummaryResource:
    """`/api/items/summary`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> SummaryView:
        """Counts by status, and the last change."""
        return SummaryView.of_summary(await ask(self._scheduler, GetSummary(), Summary))


class TimestampResource:
    """`/api/items/timestamp`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> TimestampView:
        """The last change alone: has anything changed?"""
        return TimestampView.of_summary(await ask(self._scheduler, GetSummary(), Summary))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/items/summary": SummaryResource(scheduler),
        "/api/items/timestamp": TimestampResource(scheduler),
        "/api/items/{name:path}": ItemResource(scheduler),
        "/api/items/{name:path}/selection": SelectionResource(scheduler),
        "/api/items/{name:path}/retry": RetryResource(scheduler),
        "/api/items/{name:path}/priority": PriorityResource(scheduler),
    }
