"""`/api/tries`: one movie processed aside with other settings."""

from __future__ import annotations

import asyncio
from typing import Annotated

import falcon.asgi
from msgspec import Meta

from warpcore.bus.messages import DeleteTry, GetTries, GetTry, StartTry, Tries, Try
from warpcore.bus.vocabulary import TryState
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.items import NO_MOVIE, MovieName
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import By, Query
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.pictures.tries import TryId, pictures_of_try
from warpcore.services.api.settings import AllSettings
from warpcore.services.api.views import TriesView, TryView

_NO_TRY = {404: "No try has this id."}


class TryBody(Body, frozen=True):
    """What is to be tried."""

    settings: AllSettings
    by: By = ""


class TriesQuery(Query, frozen=True):
    """Which tries."""

    name: Annotated[str | None, Meta(description="Only those of this movie.")] = None


class StartTryResource:
    """`/api/items/{name}/try`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(
        status=202,
        errors={
            **NO_MOVIE,
            409: "Too many tries wait already.",
            422: "A setting is unknown or impossible: `errors` lists each.",
        },
        headers={"Location": "Where to follow the try."},
    )
    async def on_post(self, resp: falcon.asgi.Response, name: MovieName, body: TryBody) -> TryView:
        """Process a movie aside with these settings changed; nothing of the session changes.

        It goes before waiting movies, also while the session is paused; one try runs at a time.
        """
        attempt = await ask(self._scheduler, StartTry(name, body.settings, body.by), Try)
        resp.location = f"/api/tries/{attempt.id}"
        return TryView.of_try(attempt)


class TriesResource:
    """`/api/tries`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self, query: TriesQuery) -> TriesView:
        """The tries that are kept; the oldest goes where there are too many."""
        found = await ask(self._scheduler, GetTries(query.name), Tries)
        return TriesView(tries=[TryView.of_try(one) for one in found.tries])


class TryResource:
    """`/api/tries/{id}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors=_NO_TRY)
    async def on_get(self, id: TryId) -> TryView:
        """A try with its results and pictures, or how far it is."""
        attempt = await ask(self._scheduler, GetTry(id), Try)
        if attempt.state != TryState.DONE:
            return TryView.of_try(attempt)
        _, processing = await Movies(self._scheduler).directories()
        return TryView.of_try(attempt, await asyncio.to_thread(pictures_of_try, attempt, processing))

    @operation(errors=_NO_TRY)
    async def on_delete(self, id: TryId) -> TryView:
        """Give up a try, or forget one that has ended; its files go."""
        return TryView.of_try(await ask(self._scheduler, DeleteTry(id), Try))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/items/{name:path}/try": StartTryResource(scheduler),
        "/api/tries": TriesResource(scheduler),
        "/api/tries/{id}": TryResource(scheduler),
    }
