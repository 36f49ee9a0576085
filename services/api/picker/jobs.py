"""What both jobs of the picker have in common over REST."""

from __future__ import annotations

import asyncio
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import falcon
from falcon.asgi import Response
from msgspec import Meta

from warpcore.bus.messages import GetSettings, SettingsReply
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import Problem
from warpcore.services.api.picker.background import AlreadyRunningError, BackgroundJob, BackgroundState, JobStatus
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.views import View

FOLDER = ".warpcore/picker"
"""Below the processing directory: what the jobs work on and tell."""
MOST_NAMED = 50

JOB_ERRORS = {
    404: "No movie has one of the names.",
    409: "One runs already, or what it needs is missing; `detail` says what.",
}
STARTED = {"Location": "Where to follow the job."}

Names = Annotated[
    Annotated[list[str], Meta(min_length=1, max_length=MOST_NAMED)] | None,
    Meta(description="Names of the movies that it goes by."),
]
Problems = Annotated[str, Meta(description="Why it failed; empty: it did not.")]
V = TypeVar("V", bound=View)


class JobResource(ABC, Generic[V]):
    """A background job: POST starts it, GET tells how far it is, DELETE cancels it."""

    NAME: ClassVar[str]

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.movies = Movies(scheduler)
        self._child: subprocess.Popen[bytes] | None = None
        self._starting = asyncio.Lock()

    @abstractmethod
    def view(self, status: JobStatus, processing: Path) -> V:
        """The job as it is shown. It may read files: it is called in a thread."""

    async def told(self) -> V:
        """How far the job is, and what came of it."""
        _, processing = await self.movies.directories()
        return await asyncio.to_thread(self._tell, processing)

    async def cancelled(self) -> V:
        """The job, which is cancelled where it runs."""
        _, processing = await self.movies.directories()
        await asyncio.to_thread(self._job(processing).cancel)
        return await asyncio.to_thread(self._tell, processing)

    async def start(
        self, resp: Response, processing: Path, asked: dict[str, Any], arguments: Callable[[], Sequence[str]]
    ) -> V:
        """Answer with 202 and the job, which runs `warpcore` with the arguments. Raises Problem 409 where one runs.

        `arguments` may write files: it is called in a thread, once no other job runs that reads them.
        """
        job = self._job(processing)
        try:
            async with self._starting:
                if (await asyncio.to_thread(job.status)).state is BackgroundState.RUNNING:
                    raise AlreadyRunningError
                self._child = job.start(asked, await asyncio.to_thread(arguments))
        except AlreadyRunningError:
            raise Problem(falcon.HTTP_409, "it runs already; wait for its end, or cancel it by DELETE") from None
        except (OSError, ValueError) as error:
            raise Problem(falcon.HTTP_500, f"it cannot be started in {processing / FOLDER}: {error}") from None
        resp.location = f"/api/picker/{self.NAME}"
        return await asyncio.to_thread(self._tell, processing)

    async def settings(self) -> dict[str, Any]:
        """The present settings of picking."""
        reply = await ask(self.scheduler, GetSettings(), SettingsReply)
        picking: dict[str, Any] = reply.settings["picking"]
        return picking

    def _job(self, processing: Path) -> BackgroundJob:
        return BackgroundJob(processing / FOLDER / self.NAME)

    def _tell(self, processing: Path) -> V:
        if self._child is not None:
            self._child.poll()  # one that has ended must not stay behind as a zombie
        try:
            return self.view(self._job(processing).status(), processing)
        except (OSError, ValueError, TypeError) as error:
            raise Problem(falcon.HTTP_500, f"the state of {processing / FOLDER} cannot be read: {error}") from None
