"""Named sets of settings, and the history of the session's own."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus import limits
from warpcore.bus.schema import Message, Port, message, part


@part
class SettingsRevision(Message, frozen=True):
    """One change of the settings: when (epoch seconds), by whom, and what, as `{name: [old, new]}`.

    One without names has taken up other files under the same paths, or let go of settings that were set aside.
    """

    revision: int
    at: float
    by: str
    changed: dict[str, list[Any]]


@message("settings.history")
class SettingsHistory(Message, frozen=True):
    """Changes of the settings, newest first."""

    revisions: list[SettingsRevision]


@message("settings.history.get", port=Port.CONTROL, answers=(SettingsHistory,))
class GetSettingsHistory(Message, frozen=True):
    """The changes with a revision < `before` (null: the newest), at most `limit` and as many as fit a frame."""

    before: int | None = None
    limit: int = limits.PAGE


@message("profile")
class Profile(Message, frozen=True):
    """A named set of all settings but the data directory. Lists leave the settings out."""

    name: str
    at: float
    by: str
    settings: dict[str, Any] = field(default_factory=dict)


@message("profile.save", port=Port.CONTROL, answers=(Profile,))
class SaveProfile(Message, frozen=True):
    """Keep these settings (null: those in force) under a name; what they do not name has its default.

    Impossible settings or names: error `invalid`.
    """

    name: str
    settings: dict[str, Any] | None = None
    by: str = ""


@message("profile.get", port=Port.CONTROL, answers=(Profile,))
class GetProfile(Message, frozen=True):
    """A named set of settings, as this version uses it. Unknown name: error `not_found`."""

    name: str


@message("profile.delete", port=Port.CONTROL, answers=(Profile,))
class DeleteProfile(Message, frozen=True):
    """Forget a named set of settings. Unknown name: error `not_found`."""

    name: str


@message("profiles")
class Profiles(Message, frozen=True):
    """The named sets of settings, by name."""

    profiles: list[Profile]


@message("profiles.get", port=Port.CONTROL, answers=(Profiles,))
class GetProfiles(Message, frozen=True):
    """The named sets of settings."""
