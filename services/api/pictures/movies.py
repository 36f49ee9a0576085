"""What is known of one movie, from the scheduler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from warpcore.bus.limits import PAGE
from warpcore.bus.messages import GetItem, GetItems, GetProcessing, Item, Items, Movie, ProcessingStatus
from warpcore.bus.vocabulary import DONE, MovieStatus
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.session.movie_generation import generation_of


class Movies:
    """Asks the scheduler for single movies, and where their outputs lie."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def get(self, name: str) -> Movie:
        """The movie of this name. Raises RefusedError."""
        return (await ask(self._scheduler, GetItem(name), Item)).movie

    async def directories(self) -> tuple[Path, Path]:
        """The data directory and the processing directory, where this host sees them."""
        status, here = await self._status(), self._scheduler.paths.here
        return Path(here(status.data_directory)), Path(here(status.processing_directory))

    async def named(self, output: str) -> str:
        """A file of the processing directory as the scheduler's host sees it, for settings."""
        return str(Path((await self._status()).processing_directory) / output)

    async def _status(self) -> ProcessingStatus:
        return await ask(self._scheduler, GetProcessing(), ProcessingStatus)

    async def processed(self, names: Sequence[str] | None = None) -> AsyncIterator[Movie]:
        """The processed ones among these movies, or all of them in order of discovery. Raises RefusedError."""
        if names is not None:
            for name in dict.fromkeys(names):
                movie = await self.get(name)
                if movie.status == MovieStatus.PROCESSED:
                    yield movie
            return
        page, left = 1, True
        while left:
            found = await ask(self._scheduler, GetItems(MovieStatus.PROCESSED, page=page, page_size=PAGE), Items)
            for movie in found.movies:
                yield movie
            left = page * PAGE < found.total
            page += 1

    async def still_as(self, movie: Movie) -> bool:
        """Whether the movie is done, was so before, and has the same results.

        Meanwhile no worker has then put other files in place.
        """
        if movie.status not in DONE:
            return False
        now = await self.get(f"~{movie.id}")
        return now.status in DONE and generation_of(now) == generation_of(movie)
