"""`/api/items/{name}/…`: a movie's curves, tracks and picks as data, its log, and its files."""

from __future__ import annotations

import asyncio
from typing import Annotated

import falcon
import msgspec
from falcon.asgi import Request, Response
from msgspec import Meta

from warpcore.bus.limits import MOST_HAND_PICKS
from warpcore.bus.messages import GetItem, GetItemPicks, Item, ItemPicks, Movie, SetItemPicks, UndoItemPicks
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import ask
from warpcore.services.api.errors import Problem
from warpcore.services.api.items import NO_MOVIE, MovieName
from warpcore.services.api.operations import operation
from warpcore.services.api.pictures import parts
from warpcore.services.api.pictures.downloads import NO_BYTES, download, send_output
from warpcore.services.api.pictures.files import movie_files
from warpcore.services.api.pictures.index import index
from warpcore.services.api.pictures.queries import GenerationQuery
from warpcore.services.api.pictures.resources import ALSO, CONDITION, NO_PICTURE, SenderResource
from warpcore.services.api.pictures.story import Log, movie_log
from warpcore.services.api.views import Curves, Edits, HandPicks, Index, Picks, Tracks

FilePath = Annotated[str, Meta(description="One of the movie's `files`, below the processing directory.")]
Place = Annotated[
    list[Annotated[float, Meta(ge=-0.5, le=1e6)]], Meta(min_length=2, max_length=2, description="x, y in px.")
]
Places = Annotated[list[Place], Meta(max_length=MOST_HAND_PICKS)]


class HandPicksBody(Body, frozen=True):
    """Edits of picks, in px of the average; the centre of pixel 0 is 0."""

    added: Annotated[Places, Meta(description="Picks to add.")] = msgspec.field(default_factory=list)
    removed: Annotated[Places, Meta(description="Picks of the picker's to remove.")] = msgspec.field(
        default_factory=list
    )


class IndexResource(SenderResource):
    """`…/pictures`."""

    @operation(errors=NO_MOVIE)
    async def on_get(self, name: MovieName) -> Index:
        """What pictures and files there are of a movie's present results."""
        movie = await self.sender.movies.get(name)
        _, processing = await self.sender.movies.directories()
        return await asyncio.to_thread(index, movie, processing)


class CurvesResource(SenderResource):
    """`…/curves`."""

    @operation(errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: GenerationQuery) -> Curves | None:
        """The CTF and its fit in one dimension."""
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.curves(movie), query.generation)
        return None


class TracksResource(SenderResource):
    """`…/tracks`."""

    @operation(errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: GenerationQuery) -> Tracks | None:
        """The movement of the specimen, frame by frame."""
        movie = await self.sender.movies.get(name)
        await self.sender.send(req, resp, movie, parts.tracks(movie), query.generation)
        return None


class PicksResource(SenderResource):
    """`…/picks`."""

    @operation(errors=NO_PICTURE, also=ALSO, request_headers=CONDITION)
    async def on_get(self, req: Request, resp: Response, name: MovieName, query: GenerationQuery) -> Picks | None:
        """All scored candidates of the picker's, and a person's edits of them."""
        movie = await self.sender.movies.get(name)
        hand = HandPicks.of_movie(movie)
        if movie.hand_picks:
            hand = Edits.of_picks(await ask(self.sender.scheduler, GetItemPicks(name), ItemPicks), movie).hand
        await self.sender.send(req, resp, movie, parts.candidates(movie, hand), query.generation)
        return None


class HandPicksResource(SenderResource):
    """`…/picks/hand`."""

    @operation(errors=NO_MOVIE)
    async def on_get(self, name: MovieName) -> Edits:
        """A person's own edits of a movie's picks."""
        held = await ask(self.sender.scheduler, GetItemPicks(name), ItemPicks)
        return Edits.of_picks(held, await self.sender.movies.get(name))

    @operation(errors={**NO_MOVIE, 409: "Nothing is picked, or there is no average yet."})
    async def on_put(self, name: MovieName, body: HandPicksBody) -> Edits:
        """Replace these edits; the movie's picks are made anew from the kept scores."""
        added, removed = ([(x, y) for x, y in places] for places in (body.added, body.removed))
        held = await ask(self.sender.scheduler, SetItemPicks(name, added, removed), ItemPicks)
        return Edits.of_picks(held, await self.sender.movies.get(name))


class UndoHandPicksResource(SenderResource):
    """`…/picks/hand/undo`."""

    @operation(errors={**NO_MOVIE, 409: "There are no edits before these."})
    async def on_post(self, name: MovieName) -> Edits:
        """Bring the edits before the present ones back."""
        held = await ask(self.sender.scheduler, UndoItemPicks(name), ItemPicks)
        return Edits.of_picks(held, await self.sender.movies.get(name))


class LogResource(SenderResource):
    """`…/log`."""

    @operation(errors=NO_MOVIE)
    async def on_get(self, name: MovieName) -> Log:
        """A movie's story, and the workers' last lines that name it, oldest first."""
        item = await ask(self.sender.scheduler, GetItem(name), Item)
        data, _ = await self.sender.movies.directories()
        return await movie_log(self.sender.scheduler, item, data)


class FileResource(SenderResource):
    """`…/files/{file}`."""

    @download(errors={**NO_PICTURE, **NO_BYTES})
    async def on_get(self, req: Request, resp: Response, name: MovieName, file: FilePath) -> None:
        """One of a movie's files, whole or in part (`Range`). No other file can be had."""
        movie = await self.sender.movies.get(name)
        _, processing = await self.sender.movies.directories()
        _check_own(movie, file)
        try:
            await send_output(req, resp, processing, file)
        except FileNotFoundError:
            raise Problem(
                falcon.HTTP_404, f"{movie.name} has no {file}: its step has not run, or writes none"
            ) from None


def _check_own(movie: Movie, path: str) -> None:
    """Raises Problem 404 for a file that is no output of this movie."""
    if path not in {file.path for file in movie_files(movie)}:
        raise Problem(falcon.HTTP_404, f"{path} is no file of {movie.name}; /pictures lists those that there are")
