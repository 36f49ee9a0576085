"""Tries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

from msgspec import Meta

from warpcore.bus.messages import Try
from warpcore.bus.vocabulary import TryState
from warpcore.services.api.views._movies import FailureView, Results
from warpcore.services.api.views._naming import Time, View, camel_keys, utc
from warpcore.services.api.views._pictures import Picture


class TryView(View, frozen=True):
    """A movie that is processed aside, with other settings than the session's."""

    id: Annotated[str, Meta(description="Its name, such as `try-812`; its tasks have it as their purpose.")]
    name: Annotated[str, Meta(description="The movie's name.")]
    state: TryState
    settings: Annotated[dict[str, Any], Meta(description="The settings that were asked for; all others were in force.")]
    at: Annotated[Time, Meta(description="When it was asked for.")]
    by: Annotated[str, Meta(description="Who asked for it.")]
    step: Annotated[str, Meta(description="The present step, while it runs.")]
    fraction: Annotated[float, Meta(description="How much of the step is done, 0 to 1.")]
    failure: FailureView | None
    filter_reasons: Annotated[list[str], Meta(description="Why the filter would take it out.")]
    results: Results
    generation: Annotated[int, Meta(description="Number of its results, which never change: for URLs of pictures.")]
    pictures: Annotated[list[Picture], Meta(description="Its pictures, once it is done; in each try alone.")]
    folder: Annotated[str, Meta(description="Where its files lie, below the processing directory.")]
    outputs: Annotated[dict[str, list[str]], Meta(description="Its files by step, below `folder`.")]

    @classmethod
    def of_try(cls, attempt: Try, pictures: Sequence[Picture] = ()) -> Self:
        """The view of a try with these pictures."""
        return cls.of(
            attempt,
            at=utc(attempt.at),
            results=camel_keys(attempt.results),
            generation=int(attempt.id.rpartition("-")[2]),
            pictures=list(pictures),
        )


class TriesView(View, frozen=True):
    """The tries that are kept."""

    tries: Annotated[list[TryView], Meta(description="The newest first, each without results, outputs and pictures.")]
