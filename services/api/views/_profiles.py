"""The history of settings, and named sets of them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from msgspec import Meta

from warpcore.bus.messages import Profile, SettingsRevision
from warpcore.services.api.views._naming import Time, View, utc

AnySettings = Annotated[dict[str, Any], Meta(description="Settings by section.")]


class RevisionView(View, frozen=True):
    """One change of the settings."""

    revision: Annotated[int, Meta(description="Grows by one with each change.")]
    at: Time
    by: Annotated[str, Meta(description="Who asked for it.")]
    changed: Annotated[
        dict[str, list[Any]],
        Meta(description="`[old, new]` by setting. Empty: a file that a setting names is another one now."),
    ]

    @classmethod
    def of_revision(cls, revision: SettingsRevision) -> Self:
        """The view of a change."""
        return cls.of(revision, at=utc(revision.at))


class ProfileView(View, frozen=True):
    """A named set of settings."""

    name: str
    at: Annotated[Time, Meta(description="When it was saved.")]
    by: Annotated[str, Meta(description="Who saved it.")]
    settings: AnySettings

    @classmethod
    def of_profile(cls, profile: Profile) -> Self:
        """The view of a profile."""
        return cls.of(profile, at=utc(profile.at))


class ProfilesView(View, frozen=True):
    """The named sets of settings."""

    profiles: Annotated[list[ProfileView], Meta(description="By name; `settings` stand in each profile alone.")]
