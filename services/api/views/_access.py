"""Who is signed in, and the viewer links that were given away."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.services.access.credentials import TokenRole
from warpcore.services.api.views._naming import Count, Time, View


class SignedInView(View, frozen=True):
    """Who sends this request, and what they may do."""

    user: Annotated[str, Meta(description="Name of the token or link; empty where REST is open to everyone.")]
    role: TokenRole
    expires_at: Annotated[Time, Meta(description="When the sign-in or token ends; null: never.")]
    is_open: Annotated[bool, Meta(description="REST is open to everyone (--insecure).")]


class LinkView(View, frozen=True):
    """A viewer link."""

    name: str
    made_at: Time
    expires_at: Time
    browsers_left: Annotated[Count, Meta(description="Browsers that can still be signed in by it.")]
    signed_in: Annotated[Count, Meta(description="Browsers that it keeps signed in.")]


class NewLinkView(View, frozen=True):
    """A viewer link that was made just now. Its code is told this once, and not stored."""

    name: str
    fragment: Annotated[str, Meta(description="What follows the page's address in the link: `#sign-in=…`.")]
    expires_at: Time
