"""Movies, and pages of them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from msgspec import Meta

from warpcore.bus.messages import Item, Movie
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Selection
from warpcore.services.api.views._naming import Count, Time, View, camel_keys, utc
from warpcore.services.api.views._results import REFERENCE

Results = Annotated[
    dict[str, Any],
    Meta(description="What each step measured; null: not measured.", extra_json_schema={"$ref": REFERENCE}),
]


EventWorker = Annotated[str, Meta(description="The worker that it happened on; empty: on none.")]
EventLease = Annotated[int, Meta(description="Number of the task, as logs name it; 0: none.")]
EventStep = Annotated[str, Meta(description="The step that ran or failed; empty: none.")]


class FailureView(View, frozen=True):
    """Why a movie failed."""

    kind: FailureKind
    step: Annotated[str, Meta(description="The step that could not be done.")]
    message: Annotated[str, Meta(description="What happened, and what to do.")]
    host: Annotated[str, Meta(description="The worker's host.")]


class MovieView(View, frozen=True):
    """One movie."""

    id: Annotated[int, Meta(description="Its number, in order of discovery. In paths `~ID` stands for the name.", ge=1)]
    name: Annotated[str, Meta(description="Path below the data directory, without extension. Unique.")]
    path: Annotated[str, Meta(description="The raw file, below the data directory.")]
    size: Annotated[int, Meta(description="Size of the raw file, bytes.", ge=0)]
    file_modified: Annotated[Time, Meta(description="The raw file's own time.")]
    status: MovieStatus
    selection: Selection
    priority: Annotated[int, Meta(description="Higher goes first; 0 is ordinary.")]
    failure: FailureView | None
    filter_reasons: Annotated[list[str], Meta(description="Why the filter takes it out.")]
    results: Results
    fingerprints: Annotated[dict[str, str], Meta(description="By step, what its result was made with.")]
    worker: Annotated[str | None, Meta(description="The worker that holds it.")]
    outdated_steps: Annotated[list[str], Meta(description="Steps that will run again.")]
    hand_picks: Annotated[str, Meta(description="Names a person's own edits of its picks; empty: there are none.")]
    optics_group: Annotated[int, Meta(description="Number of its optics group in all STAR files.", ge=1)]

    @classmethod
    def of_movie(cls, movie: Movie) -> Self:
        """The view of a movie."""
        return cls.of(movie, **_of_movie(movie))


class StoryLine(View, frozen=True):
    """One event of a movie."""

    seq: Annotated[int, Meta(description="Number of the change before it.")]
    at: Annotated[float, Meta(description="Seconds since 1970-01-01, UTC.")]
    text: Annotated[str, Meta(description="What happened, and why.")]
    worker: EventWorker = ""
    lease: EventLease = 0
    step: EventStep = ""


class ResolvedView(View, frozen=True):
    """A setting that a movie may tell itself, as the movie is processed."""

    name: Annotated[str, Meta(description="The setting.")]
    value: Annotated[float | None, Meta(description="In the setting's unit; null: nobody tells it.")]
    source: Annotated[str, Meta(description="`setting`, `metadata: FILE`, `header` or `assumed`; empty: nobody.")]
    conflict: Annotated[str, Meta(description="What contradicts it; empty: nothing.")]


class ItemView(MovieView, frozen=True):
    """One movie with its story."""

    story: Annotated[list[StoryLine], Meta(description="Its transitions, oldest first.")]
    learnt: Annotated[
        dict[str, str], Meta(description="By step that learns, what the movie's result goes by, in words.")
    ]
    resolved: Annotated[list[ResolvedView], Meta(description="Settings that the movie may tell itself.")]
    waits_for: Annotated[str, Meta(description="What must be set before it can be processed; empty: nothing.")]
    acquisition: Annotated[
        dict[str, Any], Meta(description="What the metadata say of its recording, by name; empty: nothing.")
    ]

    @classmethod
    def of_item(cls, item: Item) -> Self:
        """The view of a movie and its story."""
        told = {} if item.acquisition is None else camel_keys(item.acquisition.to_body())
        more = {"story": item.story, "learnt": item.learnt, "resolved": item.resolved, "waits_for": item.waits_for}
        return cls.of(item.movie, **_of_movie(item.movie), **more, acquisition=told)


class ItemsPage(View, frozen=True):
    """A page of movies."""

    items: Annotated[
        list[Any],
        Meta(
            description="Whole movies, or the chosen `fields` of each, by column.",
            extra_json_schema={"items": {"anyOf": [{"$ref": "#/components/schemas/MovieView"}, {"type": "object"}]}},
        ),
    ]
    total_items: Annotated[Count, Meta(description="Movies on all pages.")]
    page: Annotated[int, Meta(ge=1)]
    page_size: Annotated[int, Meta(ge=1)]
    next_cursor: Annotated[str | None, Meta(description="`cursor` of the next page; null on the last.")]


def _of_movie(movie: Movie) -> dict[str, Any]:
    return {"results": camel_keys(movie.results), "file_modified": utc(movie.mtime_ns / 1e9)}
