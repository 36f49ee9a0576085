"""`/api/items/{name}/…`: what a movie looks like.

What is made of its outputs is kept as bytes, also data: so those methods write `resp` themselves and return None.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from falcon.asgi import Request, Response
from msgspec import Meta, field

from warpcore.bus.limits import MOST_HAND_PICKS
from warpcore.bus.messages import Movie
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler
from warpcore.services.api.items import NO_MOVIE, MovieName
from warpcore.services.api.operations import Responder, operation
from warpcore.services.api.pictures import by_hand, parts
from warpcore.services.api.pictures.downloads import download
from warpcore.services.api.pictures.index import index
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.pictures.parts import JPEG, PNG, Part
from warpcore.services.api.pictures.queries import AverageQuery, PartQuery, SpectrumQuery, ThumbnailQuery
from warpcore.services.api.pictures.serving import MovieParts
from warpcore.services.api.pictures.story import movie_log
from warpcore.services.api.views import (
    CurvesView,
    HandEditsView,
    MovieLogView,
    PicksView,
    PicturesView,
    Position,
    TracksView,
)

Q = TypeVar("Q", bound=PartQuery)

FilePath = Annotated[str, Meta(description="Path below the processing directory.")]
_Positions = Annotated[list[Position], Meta(max_length=MOST_HAND_PICKS)]


class HandPicksBody(Body, frozen=True):
    """A person's edits of a movie's picks, in px of its present average; they replace the ones before."""

    added: Annotated[_Positions, Meta(description="Picks (x, y) to add; the centre of pixel 0 is at 0.")] = field(
        default_factory=list
    )
    removed: Annotated[_Positions, Meta(description="Places where none is wanted.")] = field(default_factory=list)


def _part(*media_types: str) -> Callable[[Callable[..., Awaitable[Any]]], Responder]:
    """The `operation` of a method that sends what is made of a movie's outputs."""
    return operation(
        media_types=media_types,
        errors={404: "No movie has this name, its results are others by now, or it has no such picture or data."},
        also={304: "What the client has is still so."},
        request_headers={"If-None-Match": "The `ETag` of what the client has."},
        headers={
            "ETag": "Names what was sent.",
            "Cache-Control": "`immutable` where `generation` is the present one of a movie that is done.",
        },
    )


class _Resource:
    """A part of a movie."""

    def __init__(self, scheduler: Scheduler, movies: Movies, served: MovieParts) -> None:
        self._scheduler = scheduler
        self._movies = movies
        self._served = served

    async def _send(self, req: Request, resp: Response, name: str, query: Q, make: Callable[[Movie, Q], Part]) -> None:
        movie = (await self._movies.get(name)).movie
        await self._served.send_part(req, resp, movie, make(movie, query), query.generation)


class PicturesResource(_Resource):
    """`…/pictures`."""

    @operation(errors=NO_MOVIE)
    async def on_get(self, name: MovieName, resp: Response) -> PicturesView:
        """What pictures and files there are, and the number of the results that they show."""
        movie = (await self._movies.get(name)).movie
        resp.cache_control = ["no-cache"]
        return await asyncio.to_thread(index, movie, await self._movies.processing())


class ThumbnailResource(_Resource):
    """`…/picture/thumbnail`."""

    @_part(JPEG)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: ThumbnailQuery) -> None:
        """The average, small."""
        await self._send(req, resp, name, query, parts.thumbnail)


class AverageResource(_Resource):
    """`…/picture/average`."""

    @_part(JPEG)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: AverageQuery) -> None:
        """The average, or a part of it, at any size and contrast."""
        await self._send(req, resp, name, query, parts.average)


class SpectrumResource(_Resource):
    """`…/picture/spectrum`."""

    @_part(PNG)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: SpectrumQuery) -> None:
        """The power spectrum and its fit."""
        await self._send(req, resp, name, query, parts.spectrum)


class MotionPictureResource(_Resource):
    """`…/picture/motion`."""

    @_part(PNG)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: PartQuery) -> None:
        """The picture of the tracks, as it was stored."""
        await self._send(req, resp, name, query, parts.tracks_picture)


class PicksPictureResource(_Resource):
    """`…/picture/picks`."""

    @_part(PNG)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: PartQuery) -> None:
        """The picture of the picks, as it was stored."""
        await self._send(req, resp, name, query, parts.picks_picture)


class JunkResource(_Resource):
    """`…/picture/junk`."""

    @_part(PNG)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: PartQuery) -> None:
        """The junk mask to lie over the average: junk coloured and half transparent, all else transparent."""
        await self._send(req, resp, name, query, parts.junk)


class CurvesResource(_Resource):
    """`…/curves`."""

    @_part()
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: PartQuery) -> CurvesView | None:
        """The CTF in one dimension, and the whole fit."""
        await self._send(req, resp, name, query, parts.curves)
        return None


class TracksResource(_Resource):
    """`…/tracks`."""

    @_part()
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: PartQuery) -> TracksView | None:
        """Motion, frame by frame, at the centre and over the field."""
        await self._send(req, resp, name, query, parts.tracks)
        return None


class PicksResource(_Resource):
    """`…/picks`."""

    @_part()
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: PartQuery) -> PicksView | None:
        """All scored candidates, whatever the threshold, and a person's edits."""
        movie = (await self._movies.get(name)).movie
        hand = await by_hand.hand_picks(self._scheduler, movie)
        await self._served.send_part(req, resp, movie, parts.candidates(movie, query, hand), query.generation)
        return None


class HandPicksResource(_Resource):
    """`…/picks/hand`."""

    @operation(errors=NO_MOVIE)
    async def on_get(self, name: MovieName) -> HandEditsView:
        """A person's edits of the movie's picks."""
        return await by_hand.get(self._scheduler, (await self._movies.get(name)).movie)

    @operation(errors={**NO_MOVIE, 409: "The movie has no average yet, or nothing is picked."})
    async def on_put(self, name: MovieName, body: HandPicksBody) -> HandEditsView:
        """Replace a person's edits of the movie's picks, which are then made anew from the kept scores."""
        return await by_hand.put(self._scheduler, name, body.added, body.removed)


class UndoHandPicksResource(_Resource):
    """`…/picks/hand/undo`."""

    @operation(errors={**NO_MOVIE, 409: "There are no edits before these."})
    async def on_post(self, name: MovieName) -> HandEditsView:
        """Bring the edits of picks before these back; outputs that were kept are put back, and nothing runs."""
        return await by_hand.undo(self._scheduler, name)


class LogResource(_Resource):
    """`…/log`."""

    @operation(errors=NO_MOVIE)
    async def on_get(self, name: MovieName, resp: Response) -> MovieLogView:
        """What has happened to the movie: its story, and the workers' last lines that name it."""
        resp.cache_control = ["no-cache"]
        return await movie_log(self._scheduler, await self._movies.get(name), await self._movies.data())


class FileResource(_Resource):
    """`…/files/{path}`."""

    @download(errors={404: "No movie has this name, or no such file.", 416: "The file ends before the range."})
    async def on_get(self, req: Request, resp: Response, name: MovieName, path: FilePath) -> None:
        """One of the movie's files, whole or in part."""
        await self._served.send_file(req, resp, (await self._movies.get(name)).movie, path)


_BY_PATH: dict[str, type[_Resource]] = {
    "pictures": PicturesResource,
    "picture/thumbnail": ThumbnailResource,
    "picture/average": AverageResource,
    "picture/spectrum": SpectrumResource,
    "picture/motion": MotionPictureResource,
    "picture/picks": PicksPictureResource,
    "picture/junk": JunkResource,
    "curves": CurvesResource,
    "tracks": TracksResource,
    "picks": PicksResource,
    "picks/hand": HandPicksResource,
    "picks/hand/undo": UndoHandPicksResource,
    "log": LogResource,
    "files/{path:path}": FileResource,
}


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this package by their paths."""
    movies = Movies(scheduler)
    served = MovieParts(movies)
    return {f"/api/items/{{name:path}}/{path}": made(scheduler, movies, served) for path, made in _BY_PATH.items()}
