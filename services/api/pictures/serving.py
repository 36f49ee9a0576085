"""Answers with the parts of a movie: found by the path's end, cached by the number of its results."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import falcon
import msgspec
from falcon.asgi import Request, Response

from warpcore.bus.messages import Item, Movie
from warpcore.services.api.client import Scheduler
from warpcore.services.api.errors import Problem
from warpcore.services.api.parameters import integer, only_parameters, text
from warpcore.services.api.pictures import by_hand
from warpcore.services.api.pictures.downloads import send_file
from warpcore.services.api.pictures.files import Identity, located, movie_files
from warpcore.services.api.pictures.index import index
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.pictures.parts import DOCUMENTS, JSON, PICTURES, Part, candidates
from warpcore.services.api.pictures.renderings import Renderings
from warpcore.services.api.pictures.story import movie_log
from warpcore.services.session.errors import InputError
from warpcore.services.session.movie_generation import generation_of

LARGEST_GENERATION = 2**32 - 1
FOR_EVER = ["private", "max-age=31536000", "immutable"]
_TRIES = 3


def possible_parts(path: str) -> Iterator[tuple[str, str, str]]:
    """What a path may mean: name of the movie, part, and what of it (a picture's kind, a file); most likely first."""
    names = path.split("/")
    if names[-1] in ("pictures", "log", "picks", *DOCUMENTS):
        yield "/".join(names[:-1]), names[-1], ""
    if names[-2:] == ["picks", "hand"]:
        yield "/".join(names[:-2]), "picks/hand", ""
    if names[-2:-1] == ["picture"]:
        yield "/".join(names[:-2]), "picture", names[-1]
    for place, name in enumerate(names[:-1]):
        if name == "files":
            yield "/".join(names[:place]), "files", "/".join(names[place + 1 :])


class _ReplacedError(Exception):
    """The file was replaced while something was made of it."""


class MovieParts:
    """`GET /api/items/NAME/` and what `possible_parts` knows; `PUT …/picks/hand`, `POST …/picks/hand/undo`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._movies = Movies(scheduler)
        self._renderings = Renderings()

    async def on_get(self, req: Request, resp: Response, path: str) -> bool:
        """Answer, where the path's end names a part of a movie that there is; else say False."""
        for name, part, rest in possible_parts(path):
            item = await self._movies.find(name)
            if item is not None:
                await self._answer(req, resp, item, part, rest)
                return True
        return False

    async def on_put(self, req: Request, resp: Response, path: str) -> bool:
        """Replace a person's edits of a movie's picks; False where the path is of something else."""
        name = path.removesuffix("/picks/hand")
        if name != path:
            _send_json(resp, await by_hand.put(self._scheduler, name, req))
        return name != path

    async def on_post(self, req: Request, resp: Response, path: str) -> bool:
        """Bring the edits before back; False where the path is of something else."""
        name = path.removesuffix("/picks/hand/undo")
        if name != path:
            _send_json(resp, await by_hand.undo(self._scheduler, name))
        return name != path

    async def _answer(self, req: Request, resp: Response, item: Item, part: str, rest: str) -> None:
        movie = item.movie
        data, processing = await self._movies.directories()
        if part == "pictures":
            only_parameters(req)
            _send_json(resp, await asyncio.to_thread(index, movie, processing))
        elif part == "log":
            only_parameters(req)
            _send_json(resp, await movie_log(self._scheduler, item, data))
        elif part == "files":
            await _send(req, resp, movie, processing, rest)
        elif part == "picks/hand":
            only_parameters(req)
            _send_json(resp, await by_hand.get(self._scheduler, movie))
        elif part == "picks":
            hand = await by_hand.hand_picks(self._scheduler, movie)
            await self._send_part(req, resp, movie, candidates(movie, req, hand), processing)
        elif part == "picture" and rest not in PICTURES:
            raise Problem(falcon.HTTP_404, f"there is no picture {rest!r}; kinds are {', '.join(PICTURES)}")
        else:
            asked = PICTURES[rest] if part == "picture" else DOCUMENTS[part]
            await self._send_part(req, resp, movie, asked(movie, req), processing)

    async def _send_part(self, req: Request, resp: Response, movie: Movie, part: Part, processing: Path) -> None:
        """Render, or say that what the client has is still so. Raises Problem 404 for former results."""
        generation = _asked_generation(req, movie)
        path = await asyncio.to_thread(located, processing, part.path)
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


def _asked_generation(req: Request, movie: Movie) -> int | None:
    """The generation in the URL, None without one. Raises Problem 404, which names the present one, for another."""
    if not text(req, "generation", ""):
        return None
    asked, present = integer(req, "generation", 0, 0, LARGEST_GENERATION), generation_of(movie)
    if asked != present:
        problem = f"{movie.name} has no generation {asked} any more; its present results are generation={present}"
        raise Problem(falcon.HTTP_404, problem)
    return asked


def _has(req: Request, etag: str) -> bool:
    known = req.if_none_match or []
    return any(one == "*" or one.strip('"') == etag for one in known)


def _missing(movie: Movie, path: str) -> Problem:
    why = f"it is {movie.status}" if not movie.results else "its step is switched off, or the file was removed"
    return Problem(falcon.HTTP_404, f"{movie.name} has no {path}: {why}")


async def _send(req: Request, resp: Response, movie: Movie, processing: Path, relative: str) -> None:
    """A file of this movie: no other file of the processing directory can be had by its name."""
    only_parameters(req)
    if relative not in {file.path for file in movie_files(movie)}:
        raise Problem(falcon.HTTP_404, f"{relative} is no file of {movie.name}; /pictures lists those that there are")
    try:
        await send_file(req, resp, await asyncio.to_thread(located, processing, relative))
    except FileNotFoundError:
        raise _missing(movie, relative) from None
    except OSError as error:
        raise Problem(falcon.HTTP_500, f"{relative} cannot be read: {error.strerror or error}") from None


def _send_json(resp: Response, document: msgspec.Struct) -> None:
    resp.content_type = JSON
    resp.cache_control = ["no-cache"]
    resp.data = msgspec.json.encode(document)
