"""Pictures that can be asked for."""

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
