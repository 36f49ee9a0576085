"""`/api/settings/history` and `/api/settings/profiles`: who changed what, and named sets of settings."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.bus.limits import LARGEST_PAGE, LONGEST_PROFILE_NAME, PAGE
from warpcore.bus.messages import (
    DeleteProfile,
    GetProfile,
    GetProfiles,
    GetSettingsHistory,
    Profile,
    Profiles,
    SaveProfile,
    SettingsHistory,
)
from warpcore.services.access.credentials import PATTERN_END
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import LARGEST_NUMBER, By, Query
from warpcore.services.api.settings import AllSettings
from warpcore.services.api.views import ProfilesView, ProfileView, RevisionView

ProfileName = Annotated[
    str,
    Meta(
        pattern=rf"^[^/\x00-\x1f]{{1,{LONGEST_PROFILE_NAME}}}{PATTERN_END}",
        description="The profile's name: any characters but slashes.",
    ),
]
_NO_PROFILE = {404: "No profile has this name."}


class HistoryQuery(Query, frozen=True):
    """Which changes."""

    before: Annotated[
        Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)] | None, Meta(description="Only revisions below this one.")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=LARGEST_PAGE, description="At most so many.")] = PAGE


class ProfileBody(Body, frozen=True):
    """What a profile holds."""

    settings: Annotated[
        AllSettings | None, Meta(description="By section; what is not named has its default. null: those in force.")
    ] = None
    by: By = ""


class SettingsHistoryResource:
    """`/api/settings/history`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self, query: HistoryQuery) -> list[RevisionView]:
        """Who changed which settings when, the newest first."""
        found = await ask(self._scheduler, GetSettingsHistory(query.before, query.limit), SettingsHistory)
        return [RevisionView.of_revision(one) for one in found.revisions]


class ProfilesResource:
    """`/api/settings/profiles`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> ProfilesView:
        """The named sets of settings, by name, without the settings."""
        found = await ask(self._scheduler, GetProfiles(), Profiles)
        return ProfilesView(profiles=[ProfileView.of_profile(one) for one in found.profiles])


class ProfileResource:
    """`/api/settings/profiles/{profile}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors=_NO_PROFILE)
    async def on_get(self, profile: ProfileName) -> ProfileView:
        """A named set of settings; `PUT /api/settings` puts it in force."""
        return ProfileView.of_profile(await ask(self._scheduler, GetProfile(profile), Profile))

    @operation(
        optional_body=True,
        errors={422: "A setting or the name is impossible, or there are too many profiles: nothing has changed."},
    )
    async def on_put(self, profile: ProfileName, body: ProfileBody) -> ProfileView:
        """Keep settings under a name, over those of that name. The data directory is left out."""
        message = SaveProfile(profile, body.settings, body.by)
        return ProfileView.of_profile(await ask(self._scheduler, message, Profile))

    @operation(errors=_NO_PROFILE)
    async def on_delete(self, profile: ProfileName) -> ProfileView:
        """Forget a named set of settings."""
        return ProfileView.of_profile(await ask(self._scheduler, DeleteProfile(profile), Profile))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/settings/history": SettingsHistoryResource(scheduler),
        "/api/settings/profiles": ProfilesResource(scheduler),
        "/api/settings/profiles/{profile}": ProfileResource(scheduler),
    }
