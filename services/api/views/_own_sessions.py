"""A user's sessions on one host."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.services.api.views._naming import Count, View


class OtherSessionView(View, frozen=True):
    """Another session of the same user on this host."""

    name: str
    port: Annotated[Count, Meta(description="Port of its page and its REST API, at the host name of this one.")]
    is_secure: Annotated[bool, Meta(description="It is served by https.")]


class SessionsView(View, frozen=True):
    """This session and the others of its user."""

    name: Annotated[str, Meta(description="Name of this session; empty where it was told none.")]
    others: list[OtherSessionView]
