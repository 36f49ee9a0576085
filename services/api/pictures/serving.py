"""Answers with the parts of a movie, cached by the number of its results."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import falcon
from falcon.asgi import Request, Response

from warpcore.bus.messages import Movie
from warpcore.services.api.errors import Problem
from warpcore.services.api.pictures.downloads import send_output
from warpcore.services.api.pictures.files import Identity, located, movie_files
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.pictures.parts import Part
from warpcore.services.api.pictures.renderings import Renderings
from warpcore.services.session.errors import InputError
from warpcore.services.session.movie_generation import generation_of

FOR_EVER = ["private", "max-age=31536000", "immutable"]
_TRIES = 3


class _ReplacedError(Exception):
    """The file was replaced while something was made of it."""


class MovieParts:
    """Sends what is made of movies' outputs, and the outputs themselves."""

    def __init__(self, movies: Movies) -> None:
        self._movies = movies
        self._renderings = Renderings()

    async def send_part(self, req: Request, resp: Response, movie: Movie, part: Part, generation: int | None) -> None:
        """Render, or say that what the client has is still so. Raises Problem 404 for former results."""
        _check_generation(movie, generation)
        path = await asyncio.to_thread(located, await self._movies.processing(), part.path)
        for _ in range(_TRIES):
            try:
                identity = await asyncio.to_thread(Identity.of, path)
                tag = hashlib.sha256(f"{path} {part.key} {identity.tag}".encode()).hexdigest()[:24]
                fresh = _has(req, tag)
                if not fresh:
                    resp.data = await self._renderings.get(tag, partial(_rendered, part.render, path, identity))
                break
            except FileNotFoundError:
                raise _missing(movie, part.path) from None
            except _ReplacedError:
                continue
            except (InputError, OSError) as error:
                raise Problem(falcon.HTTP_500, f"{movie.name}: {error}") from None
        else:
            raise Problem(falcon.HTTP_503, f"{part.path} changes all the time; ask again", headers={"Retry-After": "1"})
        if fresh:
            resp.status = falcon.HTTP_304
        resp.etag = tag
        resp.content_type = part.content_type
        # Files may be newer than what the scheduler knew before, so it is asked again what they are.
        lasts = generation is not None and await self._movies.still_as(movie)
        resp.cache_control = FOR_EVER if lasts else ["no-cache"]

    async def send_file(self, req: Request, resp: Response, movie: Movie, relative: str) -> None:
        """A file of this movie: no other file of the processing directory can be had by its name."""
        if relative not in {file.path for file in movie_files(movie)}:
            raise Problem(
                falcon.HTTP_404, f"{relative} is no file of {movie.name}; /pictures lists those that there are"
            )
        try:
            await send_output(req, resp, await self._movies.processing(), relative)
        except FileNotFoundError:
            raise _missing(movie, relative) from None


def _rendered(render: Callable[[Path], bytes], path: Path, identity: Identity) -> bytes:
    """What was made of this very file. Raises _ReplacedError where another one has taken its place."""
    try:
        made = render(path)
    except (OSError, ValueError):
        if Identity.of(path) == identity:
            raise
        raise _ReplacedError from None
    if Identity.of(path) != identity:
        raise _ReplacedError
    return made


def _check_generation(movie: Movie, asked: int | None) -> None:
    """Raises Problem 404, which names the present generation, where another one is asked for."""
    present = generation_of(movie)
    if asked is not None and asked != present:
        problem = f"{movie.name} has no generation {asked} any more; its present results are generation={present}"
        raise Problem(falcon.HTTP_404, problem)


def _has(req: Request, etag: str) -> bool:
    known = req.if_none_match or []
    return any(one == "*" or one.strip('"') == etag for one in known)


def _missing(movie: Movie, path: str) -> Problem:
    why = f"it is {movie.status}" if not movie.results else "its step is switched off, or the file was removed"
    return Problem(falcon.HTTP_404, f"{movie.name} has no {path}: {why}")
