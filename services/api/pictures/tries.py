"""`/api/tries/{id}/…`: pictures and data of a movie as a try has left it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import falcon
from falcon.asgi import Request, Response
from msgspec import Meta

from warpcore.bus.messages import GetTry, Movie, Try
from warpcore.bus.vocabulary import MovieStatus, TryState
from warpcore.services.api.client import ask
from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.pictures import parts
from warpcore.services.api.pictures.index import pictures_of
from warpcore.services.api.pictures.parts import JPEG, PNG
from warpcore.services.api.pictures.queries import AverageQuery, GenerationQuery, SpectrumQuery, ThumbnailQuery
from warpcore.services.api.pictures.resources import ALSO, CONDITION, SenderResource
from warpcore.services.api.pictures.sending import Part, Sender
from warpcore.services.api.views import Curves, HandPicks, Picks, Picture, Tracks
from warpcore.services.steps import motion, picking

TryId = Annotated[str, Meta(description="The try's id, such as `try-812`.")]
_NO_PICTURE = {404: "No try has this id, it is not done, or it has no such file."}


def as_movie(attempt: Try) -> Movie:
    """The movie as the try has left it; of a try that is not done without results."""
    return Movie(1, attempt.name, "", 0, 0, MovieStatus.PROCESSED, results=attempt.results)


def pictures_of_try(attempt: Try, processing: Path) -> list[Picture]:
    """The pictures that a try has left; none where it is not done."""
    number, folder = int(attempt.id.rpartition("-")[2]), processing / attempt.folder
    return list(pictures_of(as_movie(attempt), folder, f"/api/tries/{attempt.id}", number))


class TryPicture(SenderResource):
    """Base of what a try shows."""

    async def show(self, req: Request, resp: Response, id: str, part_of: Callable[[Movie], Part]) -> None:
        """Answer with a part of the try's results."""
        attempt = await ask(self.sender.scheduler, GetTry(id), Try)
        if attempt.state != TryState.DONE:
            raise Problem(falcon.HTTP_404, f"{attempt.id} has no pictures: it is {attempt.state}")
        await self.sender.send_aside(req, resp, attempt, part_of(as_movie(attempt)))


class TryThumbnail(TryPicture):
    """`…/picture/thumbnail`."""

    @operation(media_types=(JPEG,), errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: ThumbnailQuery) -> None:
        """The whole average of a try as a small picture."""
        await self.show(req, resp, id, lambda movie: parts.thumbnail(movie, query))


class TryAverage(TryPicture):
    """`…/picture/average`."""

    @operation(media_types=(JPEG,), errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: AverageQuery) -> None:
        """The average of a try, or a part of it, at any size and contrast."""
        await self.show(req, resp, id, lambda movie: parts.average(movie, query))


class TrySpectrum(TryPicture):
    """`…/picture/spectrum`."""

    @operation(media_types=(PNG,), errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: SpectrumQuery) -> None:
        """The power spectrum of a try, with the fitted CTF beside it."""
        await self.show(req, resp, id, lambda movie: parts.spectrum(movie, query))


class TryMotion(TryPicture):
    """`…/picture/motion`."""

    @operation(media_types=(PNG,), errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: GenerationQuery) -> None:
        """The tracks of motion of a try, much enlarged."""
        await self.show(req, resp, id, lambda movie: parts.stored(movie, motion.PICTURE))


class TryPicks(TryPicture):
    """`…/picture/picks`."""

    @operation(media_types=(PNG,), errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: GenerationQuery) -> None:
        """The average of a try with its picks circled."""
        await self.show(req, resp, id, lambda movie: parts.stored(movie, picking.OVERLAY))


class TryJunk(TryPicture):
    """`…/picture/junk`."""

    @operation(media_types=(PNG,), errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: GenerationQuery) -> None:
        """The junk mask of a try, to lie over its average."""
        await self.show(req, resp, id, parts.junk)


class TryCurves(TryPicture):
    """`/api/tries/{id}/curves`."""

    @operation(errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: GenerationQuery) -> Curves | None:
        """The CTF of a try and its fit in one dimension."""
        await self.show(req, resp, id, parts.curves)
        return None


class TryTracks(TryPicture):
    """`/api/tries/{id}/tracks`."""

    @operation(errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: GenerationQuery) -> Tracks | None:
        """The movement of the specimen, frame by frame, as a try has measured it."""
        await self.show(req, resp, id, parts.tracks)
        return None


class TryCandidates(TryPicture):
    """`/api/tries/{id}/picks`."""

    @operation(errors=_NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, id: TryId, query: GenerationQuery) -> Picks | None:
        """All scored candidates of a try, without the edits of its movie."""
        await self.show(req, resp, id, lambda movie: parts.candidates(movie, HandPicks.of_movie(movie)))
        return None


def try_routes(sender: Sender) -> dict[str, object]:
    """The resources of this module by their paths."""
    attempt = "/api/tries/{id}"
    return {
        f"{attempt}/picture/thumbnail": TryThumbnail(sender),
        f"{attempt}/picture/average": TryAverage(sender),
        f"{attempt}/picture/spectrum": TrySpectrum(sender),
        f"{attempt}/picture/motion": TryMotion(sender),
        f"{attempt}/picture/picks": TryPicks(sender),
        f"{attempt}/picture/junk": TryJunk(sender),
        f"{attempt}/curves": TryCurves(sender),
        f"{attempt}/tracks": TryTracks(sender),
        f"{attempt}/picks": TryCandidates(sender),
    }
