"""Answers with what is made of a movie's outputs, cached by the number of its results."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import falcon
from falcon.asgi import Request, Response

from warpcore.bus.messages import Movie, Try
from warpcore.services.api.client import Scheduler
from warpcore.services.api.errors import Problem
from warpcore.services.api.pictures.files import Identity, located
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.pictures.renderings import Renderings
from warpcore.services.session.allowed import served_below
from warpcore.services.session.errors import InputError
from warpcore.services.session.movie_generation import generation_of
from warpcore.services.session.opening import within

FOR_EVER = ["private", "max-age=31536000", "immutable"]
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Part:
    """What to make: from the file `path` (relative to the processing directory), by `render`, of type `content_type`.

    `key` tells apart what is made from one file in different ways.
    """

    path: str
    content_type: str
    render: Callable[[Path], bytes]
    key: str = ""


class _ReplacedError(Exception):
    """The file was replaced while something was made of it."""


class Sender:
    """Makes parts of movies, and says how long they may be kept. One for all resources: they share what is kept."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.movies = Movies(scheduler)
        self._renderings = Renderings()

    async def send(self, req: Request, resp: Response, movie: Movie, part: Part, generation: int | None) -> None:
        """Answer with a part of a movie's present results, or say that the client has it.

        Raises Problem 404 where `generation` is not that of these results.
        """
        _check_generation(movie, generation)
        _, processing = await self.movies.directories()
        await self._render(req, resp, movie.name, part, processing)
        # Files may be newer than what the scheduler knew before, so it is asked again what they are.
        lasts = generation is not None and await self.movies.still_as(movie)
        resp.cache_control = FOR_EVER if lasts else ["no-cache"]

    async def send_aside(self, req: Request, resp: Response, attempt: Try, part: Part) -> None:
        """Answer with a part of what a try has made; it lies in a folder of its own."""
        _, processing = await self.movies.directories()
        await self._render(req, resp, attempt.id, part, processing / attempt.folder)
        resp.cache_control = ["no-cache"]

    async def _render(self, req: Request, resp: Response, name: str, part: Part, folder: Path) -> None:
        path = await asyncio.to_thread(located, folder, part.path)
        for _ in range(_TRIES):
            try:
                identity = await asyncio.to_thread(Identity.of, path)
                tag = hashlib.sha256(f"{path} {part.key} {identity.tag}".encode()).hexdigest()[:24]
                if _has(req, tag):
                    resp.status = falcon.HTTP_304
                else:
                    resp.data = await self._renderings.get(tag, partial(_rendered, part.render, path, identity, folder))
                break
            except FileNotFoundError:
                problem = f"{name} has no {part.path}: its step has not run yet, or writes none"
                raise Problem(falcon.HTTP_404, problem) from None
            except _ReplacedError:
                continue
            except (InputError, OSError) as error:
                raise Problem(falcon.HTTP_500, f"{name}: {error}") from None
        else:
            raise Problem(falcon.HTTP_503, f"{part.path} changes all the time; ask again", headers={"Retry-After": "1"})
        resp.etag = tag
        resp.content_type = part.content_type


def _rendered(render: Callable[[Path], bytes], path: Path, identity: Identity, folder: Path) -> bytes:
    """What was made of this very file. Raises _ReplacedError where another one has taken its place."""
    try:
        with within(served_below(folder)):
            made = render(path)
    except (OSError, ValueError):
        if Identity.of(path) == identity:
            raise
        raise _ReplacedError from None
    if Identity.of(path) != identity:
        raise _ReplacedError
    return made


def _check_generation(movie: Movie, asked: int | None) -> None:
    """Raises Problem 404, which names the present generation, for another one."""
    present = generation_of(movie)
    if asked is not None and asked != present:
        problem = f"{movie.name} has no generation {asked} any more; its present results are generation={present}"
        raise Problem(falcon.HTTP_404, problem)


def _has(req: Request, etag: str) -> bool:
    known = req.if_none_match or []
    return any(one == "*" or one.strip('"') == etag for one in known)
