"""What both jobs of the picker have in common over REST."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import falcon
import msgspec
from falcon.asgi import Request, Response

from warpcore.bus.messages import GetSettings, SettingsReply
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import Problem, bad_field
from warpcore.services.api.picker.background import AlreadyRunningError, BackgroundJob, JobState, JobStatus
from warpcore.services.api.pictures.movies import Movies

FOLDER = ".warpcore/picker"
"""Below the processing directory: what the jobs work on and tell."""
MOST_NAMED = 50


class JobResource:
    """A background job: POST starts it, GET tells how far it is, DELETE cancels it."""

    NAME: ClassVar[str]

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.movies = Movies(scheduler)
        self._child: subprocess.Popen[bytes] | None = None

    async def on_get(self, req: Request, resp: Response) -> None:
        """How far the job is, and what came of it."""
        _, processing = await self.movies.directories()
        self._tell(resp, processing)

    async def on_delete(self, req: Request, resp: Response) -> None:
        """Cancel it."""
        _, processing = await self.movies.directories()
        self._job(processing).cancel()
        self._tell(resp, processing)

    def view(self, status: JobStatus, processing: Path) -> msgspec.Struct:
        """The job as it is shown."""
        raise NotImplementedError

    def start(
        self, resp: Response, processing: Path, asked: dict[str, Any], arguments: Callable[[], Sequence[str]]
    ) -> None:
        """Answer with 202 and the job, which runs `warpcore` with the arguments. Raises Problem 409 where one runs."""
        job = self._job(processing)
        try:
            if job.status().state is JobState.RUNNING:
                raise AlreadyRunningError
            self._child = job.start(asked, arguments())
        except AlreadyRunningError:
            raise Problem(falcon.HTTP_409, "it runs already; wait for its end, or cancel it by DELETE") from None
        except (OSError, ValueError) as error:
            raise Problem(falcon.HTTP_500, f"it cannot be started in {processing / FOLDER}: {error}") from None
        resp.status = falcon.HTTP_202
        resp.location = f"/api/picker/{self.NAME}"
        self._tell(resp, processing)

    async def settings(self) -> dict[str, Any]:
        """The present settings of picking."""
        reply = await ask(self.scheduler, GetSettings(), SettingsReply)
        picking: dict[str, Any] = reply.settings["picking"]
        return picking

    def _job(self, processing: Path) -> BackgroundJob:
        return BackgroundJob(processing / FOLDER / self.NAME)

    def _tell(self, resp: Response, processing: Path) -> None:
        if self._child is not None:
            self._child.poll()  # one that has ended must not stay behind as a zombie
        try:
            shown = self.view(self._job(processing).status(), processing)
        except (OSError, ValueError, TypeError) as error:
            raise Problem(falcon.HTTP_500, f"the state of {processing / FOLDER} cannot be read: {error}") from None
        resp.content_type = falcon.MEDIA_JSON
        resp.data = msgspec.json.encode(shown)


def names_in(body: dict[str, Any]) -> list[str] | None:
    """`names`; None where they are not given. Raises Problem 422."""
    names: list[Any] | None = body.get("names")
    if names is None:
        return None
    if not 1 <= len(names) <= MOST_NAMED or not all(isinstance(name, str) for name in names):
        raise bad_field("names", names, f"give 1 to {MOST_NAMED} names of movies")
    return names


def whole_number(body: dict[str, Any], name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number from `lowest` to `highest`. Raises Problem 422."""
    value: int = body.get(name, default)
    if not lowest <= value <= highest:
        raise bad_field(name, value, f"give a whole number from {lowest} to {highest}")
    return value
