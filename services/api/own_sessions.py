"""`/api/sessions`: the other sessions of the user who runs this one, for the page to link to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from warpcore.services.access.sessions import OwnSession, running
from warpcore.services.api.access.rules import SESSIONS_PATH
from warpcore.services.api.operations import operation
from warpcore.services.api.views import OtherSessionView, SessionsView


class SessionsResource:
    """`/api/sessions`."""

    def __init__(self, name: str) -> None:
        self._name = name

    @operation()
    async def on_get(self) -> SessionsView:
        """This session's name and the pages of its user's others on this host, for operators; each has its own sign-in.

        Empty where the API was not told a name (`warpcore api --name`), as `up` does.
        """
        found = await asyncio.to_thread(running) if self._name else []
        return others(self._name, found)


def others(name: str, sessions: Sequence[OwnSession]) -> SessionsView:
    """What the session of this name tells of its user's sessions, the oldest first."""
    return SessionsView(
        name=name,
        others=[
            OtherSessionView(name=one.name, port=one.ports.rest, is_secure=urlsplit(one.page).scheme == "https")
            for one in sessions
            if one.name != name
        ],
    )


def routes(name: str) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {SESSIONS_PATH: SessionsResource(name)}
