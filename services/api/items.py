"""`/api/items`: movies, their results, and the user's choices."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.bus.limits import HIGHEST_PRIORITY, LARGEST_PAGE, PAGE
from warpcore.bus.messages import (
    GetItem,
    GetItems,
    GetSummary,
    Item,
    Items,
    PrioritiseItem,
    RetryItem,
    SelectItem,
    Summary,
)
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_field, bad_parameter
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import LARGEST_NUMBER, Query
from warpcore.services.api.views import ItemsPage, ItemView, SummaryView, TimestampView, camel, snake
from warpcore.services.session.sorting import PLAIN_KEYS, sortable
from warpcore.services.steps.chain import CHAIN

MovieName = Annotated[
    str,
    Meta(
        description="The movie's name; slashes of a sub-folder are plain or %2F: `grid1/a`. Also its number, as `~12`. "
        "Movies called `summary` and `timestamp` are `~/summary` and `~/timestamp`.",
    ),
]
NO_MOVIE = {404: "No movie has this name."}
SORT_KEYS = (*PLAIN_KEYS, *(camel(column.name) for column in CHAIN.columns))


class ItemsQuery(Query, frozen=True):
    """Which movies, and in which order."""

    page: Annotated[int, Meta(ge=1, le=LARGEST_NUMBER, description="Number of the page.")] = 1
    page_size: Annotated[int, Meta(ge=1, le=LARGEST_PAGE, description="Movies a page.")] = PAGE
    status: Annotated[MovieStatus | None, Meta(description="Only movies with this status.")] = None
    sort: Annotated[
        str,
        Meta(
            description="`added`, `name`, `status` or a column such as `ctf.defocusUm`; `-` in front: descending.",
            extra_json_schema={"enum": [sign + key for key in SORT_KEYS for sign in ("", "-")]},
        ),
    ] = "added"


class SelectionBody(Body, frozen=True):
    """The user's own choice for a movie."""

    selection: Selection


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


class ItemsResource:
    """`/api/items`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors={422: "The page is too large for one answer; `detail` names a size that fits."})
    async def on_get(self, query: ItemsQuery) -> ItemsPage:
        """A page of movies."""
        request = GetItems(status=query.status, sort=_sort_key(query.sort), page=query.page, page_size=query.page_size)
        return ItemsPage.of_items(await ask(self._scheduler, request, Items))


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
        return ItemView.of_item(await ask(self._scheduler, SelectItem(name, body.selection), Item))


class RetryResource:
    """`/api/items/{name}/retry`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(optional_body=True, errors={**NO_MOVIE, 409: "The movie has not failed, or a worker holds it."})
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
        "/api/items": ItemsResource(scheduler),
        "/api/items/summary": SummaryResource(scheduler),
        "/api/items/timestamp": TimestampResource(scheduler),
        "/api/items/{name:path}": ItemResource(scheduler),
        "/api/items/{name:path}/selection": SelectionResource(scheduler),
        "/api/items/{name:path}/retry": RetryResource(scheduler),
        "/api/items/{name:path}/priority": PriorityResource(scheduler),
    }


def _sort_key(sort: str) -> str:
    """The scheduler's name for what to sort by. Raises Problem 400, which lists what there is."""
    descending, key = "-" * sort.startswith("-"), snake(sort.removeprefix("-"))
    if not sortable(key):
        raise bad_parameter("sort", sort, f"use one of {', '.join(SORT_KEYS)}; put - in front for descending")
    return descending + key
