"""`/api/tries/{id}/…`: pictures and data of a try, made as those of a movie."""

from __future__ import annotations

from typing import Annotated

from falcon.asgi import Request, Response
from msgspec import Meta

from warpcore.bus.messages import GetTry, Movie, Try
from warpcore.bus.vocabulary import MovieStatus, Word
from warpcore.services.api.client import ask
from warpcore.services.api.operations import operation
from warpcore.services.api.pictures import parts
from warpcore.services.api.pictures.parts import JPEG, PNG
from warpcore.services.api.pictures.queries import AverageQuery, SpectrumQuery, ThumbnailQuery
from warpcore.services.api.pictures.resources import ALSO, CONDITION, SenderResource
from warpcore.services.api.pictures.sending import Part
from warpcore.services.api.tries import TryId
from warpcore.services.api.views import Curves, HandPicks, Picks, Tracks
from warpcore.services.steps import motion, picking

NO_PICTURE = {404: "No try has this id, or it has made no such file."}


class PictureKind(Word):
    """What a picture shows."""

    THUMBNAIL = "thumbnail", "The whole average, small."
    AVERAGE = "average", "The average, or a part of it."
    SPECTRUM = "spectrum", "The power spectrum with the fitted CTF."
    MOTION = "motion", "The tracks of motion."
    PICKS = "picks", "The average with its picks circled."
    JUNK = "junk", "The junk mask."


Kind = Annotated[PictureKind, Meta(description="What the picture shows.")]


class TryPictureResource(SenderResource):
    """`…/picture/{kind}`."""

    @operation(media_types=(JPEG, PNG), errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, kind: Kind, query: AverageQuery) -> None:
        """A picture of what a try has made; the parameters are those of its average."""
        attempt = await _found(self, id)
        await self.sender.send_aside(req, resp, attempt, _picture(_as_movie(attempt), kind, query))


class TryCurvesResource(SenderResource):
    """`…/curves`."""

    @operation(errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId) -> Curves | None:
        """The CTF of a try and its fit in one dimension."""
        attempt = await _found(self, id)
        await self.sender.send_aside(req, resp, attempt, parts.curves(_as_movie(attempt)))
        return None


class TryTracksResource(SenderResource):
    """`…/tracks`."""

    @operation(errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId) -> Tracks | None:
        """The movement of the specimen as a try has measured it."""
        attempt = await _found(self, id)
        await self.sender.send_aside(req, resp, attempt, parts.tracks(_as_movie(attempt)))
        return None


class TryPicksResource(SenderResource):
    """`…/picks`."""

    @operation(errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId) -> Picks | None:
        """All scored candidates of a try, without the edits of its movie."""
        attempt = await _found(self, id)
        movie = _as_movie(attempt)
        await self.sender.send_aside(req, resp, attempt, parts.candidates(movie, HandPicks.of_movie(movie)))
        return None


async def _found(resource: SenderResource, id: str) -> Try:
    """The try of this id. Raises RefusedError."""
    return await ask(resource.sender.scheduler, GetTry(id), Try)


def _as_movie(attempt: Try) -> Movie:
    """What a movie would be with these results."""
    status = MovieStatus.PROCESSED if attempt.results else MovieStatus.UNPROCESSED
    return Movie(0, attempt.name, "", 0, 0, status, results=attempt.results)


def _picture(movie: Movie, kind: PictureKind, query: AverageQuery) -> Part:
    """Raises Problem where there is none."""
    match kind:
        case PictureKind.THUMBNAIL:
            return parts.thumbnail(movie, ThumbnailQuery())
        case PictureKind.AVERAGE:
            return parts.average(movie, query)
        case PictureKind.SPECTRUM:
            return parts.spectrum(movie, SpectrumQuery())
        case PictureKind.JUNK:
            return parts.junk(movie)
        case PictureKind.MOTION:
            return parts.stored(movie, motion.PICTURE)
        case PictureKind.PICKS:
            return parts.stored(movie, picking.OVERLAY)
