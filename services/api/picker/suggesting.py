"""`/api/picker/suggest`: diameters that the particles may have."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import falcon
import msgspec
from falcon.asgi import Response
from msgspec import Meta

from warpcore.services.api.bodies import Body
from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.picker.background import BackgroundState, JobStatus
from warpcore.services.api.picker.jobs import JOB_ERRORS, STARTED, JobResource, Names, Problems
from warpcore.services.api.pictures.files import output_path, readable
from warpcore.services.api.views import View
from warpcore.services.steps import export

USUAL_MOVIES = 4
"""Movies that diameters are suggested from, where none are named."""


class SuggestBody(Body, frozen=True):
    """What is looked for, and where."""

    names: Names = None
    smallest: Annotated[int, Meta(ge=20, le=2000, description="Å.")] = 60
    largest: Annotated[int, Meta(ge=20, le=5000, description="Å.")] = 600


class Proposal(View, frozen=True):
    """A diameter that the particles may have."""

    diameter_angstrom: float
    shape: Annotated[str, Meta(description="The shape of blobs that fits best.")]
    evidence: Annotated[float, Meta(description="How much the movies speak for it, natural logarithm.")]
    particles: Annotated[float, Meta(description="Expected on a micrograph.")]


class Suggestion(View, frozen=True):
    """Diameters that the particles of some movies may have."""

    state: BackgroundState
    problem: Problems = ""
    movies: list[str] = msgspec.field(default_factory=list)
    proposals: Annotated[list[Proposal], Meta(description="Best first; none where nothing stands out from noise.")] = (
        msgspec.field(default_factory=list)
    )


class SuggestResource(JobResource[Suggestion]):
    """`/api/picker/suggest`."""

    NAME = "suggest"

    @operation()
    async def on_get(self) -> Suggestion:
        """How far the search for diameters is, and what it has found."""
        return await self.told()

    @operation()
    async def on_delete(self) -> Suggestion:
        """Cancel the search."""
        return await self.cancelled()

    @operation(status=202, optional_body=True, errors=JOB_ERRORS, headers=STARTED)
    async def on_post(self, resp: Response, body: SuggestBody) -> Suggestion:
        """Propose diameters in the background, from some processed movies."""
        _, processing = await self.movies.directories()
        averages = await self._averages(body.names, processing)
        contrast = (await self.settings())["contrast"]

        def arguments() -> list[str]:
            limits = ["--smallest", str(body.smallest), "--largest", str(body.largest)]
            how = ["--json", "--device", "cpu", "--set", f"picking.contrast={contrast}"]
            return ["picker", "suggest", *map(str, averages.values()), *how, *limits]

        return await self.start(resp, processing, {"movies": list(averages)}, arguments)

    def view(self, status: JobStatus, processing: Path) -> Suggestion:
        """With the proposals, once they are there."""
        return suggestion_of(status)

    async def _averages(self, names: list[str] | None, processing: Path) -> dict[str, Path]:
        """By movie. Raises Problem where there is none."""
        found: dict[str, Path] = {}
        async for movie in self.movies.processed(names):
            path = await asyncio.to_thread(readable, processing, output_path(movie, export.AVERAGE))
            if path is not None:
                found[movie.name] = path
            if names is None and len(found) == USUAL_MOVIES:
                break
        if not found:
            raise Problem(falcon.HTTP_409, "no processed movie of those has an average yet (setting export.average)")
        return found


def suggestion_of(status: JobStatus) -> Suggestion:
    """What came of `warpcore picker suggest --json`. Raises ValueError or TypeError where it printed something else."""
    movies = status.asked["movies"] if status.asked is not None else []
    found = json.loads(status.output) if status.state is BackgroundState.DONE else []
    proposals = [Proposal(**one) for one in found]
    return Suggestion(state=status.state, problem=status.problem, movies=movies, proposals=proposals)
