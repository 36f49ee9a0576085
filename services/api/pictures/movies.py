"""What is known of one movie, from the scheduler."""

from __future__ import annotations

from pathlib import Path

from warpcore.bus.messages import GetItem, GetProcessing, Item, Movie, ProcessingStatus
from warpcore.bus.vocabulary import DONE
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.session.movie_generation import generation_of


class Movies:
    """Asks the scheduler for single movies, and where their outputs lie."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def get(self, name: str) -> Item:
        """The movie of this name with its story. Raises RefusedError where there is none."""
        return await ask(self._scheduler, GetItem(name), Item)

    async def data(self) -> Path:
        """The data directory."""
        return Path((await self._status()).data_directory)

    async def processing(self) -> Path:
        """The processing directory."""
        return Path((await self._status()).processing_directory)

    async def still_as(self, movie: Movie) -> bool:
        """Whether the movie is done, was so before, and has the same results.

        Meanwhile no worker has then put other files in place.
        """
        if movie.status not in DONE:
            return False
        now = (await self.get(movie.name)).movie
        return now.status in DONE and generation_of(now) == generation_of(movie)

    async def _status(self) -> ProcessingStatus:
        return await ask(self._scheduler, GetProcessing(), ProcessingStatus)
