"""`/api/items/{name}/picture/…`: pictures of a movie."""

from __future__ import annotations

from falcon.asgi import Request, Response

from warpcore.services.api.items import MovieName
from warpcore.services.api.operations import operation
from warpcore.services.api.pictures import parts
from warpcore.services.api.pictures.parts import JPEG, PNG
from warpcore.services.api.pictures.queries import AverageQuery, GenerationQuery, SpectrumQuery, ThumbnailQuery
from warpcore.services.api.pictures.sending import Sender
from warpcore.services.steps import motion, picking

NO_PICTURE = {404: "No movie has this name, it has no such file, or its results are of another generation."}
ALSO = {304: "The client has it already."}
CONDITION = {"If-None-Match": "The `ETag` of what the client has."}


class SenderResource:
    """Base of what a movie shows."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender


class ThumbnailResource(SenderResource):
    """`…/picture/thumbnail`."""

    @operation(media_types=(JPEG,), errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: ThumbnailQuery) -> None:
        """The whole average as a small picture."""
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.thumbnail(movie, query), query.generation)


class AverageResource(SenderResource):
    """`…/picture/average`."""

    @operation(media_types=(JPEG,), errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: AverageQuery) -> None:
        """The average, or a part of it, at any size and contrast.

        Percentiles are those of the whole average as coarse as it is shown, so that parts of one scale look alike.
        """
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.average(movie, query), query.generation)


class SpectrumResource(SenderResource):
    """`…/picture/spectrum`."""

    @operation(media_types=(PNG,), errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: SpectrumQuery) -> None:
        """The power spectrum, with the fitted CTF beside it."""
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.spectrum(movie, query), query.generation)


class MotionResource(SenderResource):
    """`…/picture/motion`."""

    @operation(media_types=(PNG,), errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: GenerationQuery) -> None:
        """The tracks of motion over the field, much enlarged."""
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.stored(movie, motion.PICTURE), query.generation)


class PicksPictureResource(SenderResource):
    """`…/picture/picks`."""

    @operation(media_types=(PNG,), errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: GenerationQuery) -> None:
        """The average with its picks circled."""
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.stored(movie, picking.OVERLAY), query.generation)


class JunkResource(SenderResource):
    """`…/picture/junk`."""

    @operation(media_types=(PNG,), errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: GenerationQuery) -> None:
        """The junk mask: junk coloured and half transparent, all else transparent, to lie over the average."""
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.junk(movie), query.generation)
