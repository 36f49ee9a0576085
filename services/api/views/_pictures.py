"""Pictures and files that can be asked for."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.services.api.views._naming import Count, View


class Picture(View, frozen=True):
    """A picture that can be asked for."""

    kind: str
    url: str
    width: Annotated[Count, Meta(description="Of the largest one, px.")]
    height: Annotated[Count, Meta(description="Of the largest one, px.")]


class File(View, frozen=True):
    """An output on disk."""

    path: Annotated[str, Meta(description="Below the processing directory.")]
    bytes: Count
    step: Annotated[str, Meta(description="The step that has written it.")]
    description: str
    url: str


class Index(View, frozen=True):
    """All pictures and files of a movie's present results."""

    generation: Annotated[int, Meta(description="The number of these results: equal results, equal number.", ge=0)]
    pictures: list[Picture]
    files: list[File]
