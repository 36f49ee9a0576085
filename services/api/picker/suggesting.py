"""`/api/picker/suggest`: diameters that the particles may have."""

from __future__ import annotations

import json
from pathlib import Path

import falcon
import msgspec
from falcon.asgi import Request, Response

from warpcore.services.api.bodies import only_fields, read_object
from warpcore.services.api.errors import Problem
from warpcore.services.api.picker.background import JobState, JobStatus
from warpcore.services.api.picker.jobs import JobResource, names_in, whole_number
from warpcore.services.api.pictures.files import located, output_path
from warpcore.services.steps import export

USUAL_MOVIES = 4
"""Movies that diameters are suggested from, where none are named."""


class Proposal(msgspec.Struct, rename="camel"):
    """A diameter, the shape that fits, how much the movies speak for it, and the particles on a micrograph."""

    diameter_angstrom: float
    shape: str
    evidence: float
    particles: float


class Suggestion(msgspec.Struct):
    """Diameters that the particles of some movies may have, best first; none where nothing stands out from noise."""

    state: JobState
    problem: str = ""
    movies: list[str] = msgspec.field(default_factory=list)
    proposals: list[Proposal] = msgspec.field(default_factory=list)


class SuggestResource(JobResource):
    """`/api/picker/suggest`."""

    NAME = "suggest"

    async def on_post(self, req: Request, resp: Response) -> None:
        """Propose diameters from some processed movies, or `names`, between `smallest` and `largest` Å."""
        body = only_fields(await read_object(req, optional=True), {"names": list, "smallest": int, "largest": int})
        smallest = whole_number(body, "smallest", 60, 20, 2000)
        largest = whole_number(body, "largest", 600, 20, 5000)
        names = names_in(body)
        _, processing = await self.movies.directories()
        averages = await self._averages(names, processing)
        contrast = (await self.settings())["contrast"]

        def arguments() -> list[str]:
            limits = ["--smallest", str(smallest), "--largest", str(largest)]
            how = ["--json", "--device", "cpu", "--set", f"picking.contrast={contrast}"]
            return ["picker", "suggest", *map(str, averages.values()), *how, *limits]

        self.start(resp, processing, {"movies": list(averages)}, arguments)

    def view(self, status: JobStatus, processing: Path) -> Suggestion:
        """With the proposals, once they are there."""
        return suggestion_of(status)

    async def _averages(self, names: list[str] | None, processing: Path) -> dict[str, Path]:
        """By movie. Raises Problem where there is none."""
        found: dict[str, Path] = {}
        async for movie in self.movies.processed():
            path = located(processing, output_path(movie, export.AVERAGE))
            if (names is None or movie.name in names) and path.is_file():
                found[movie.name] = path
            if len(found) == (USUAL_MOVIES if names is None else len(names)):
                break
        if not found:
            raise Problem(falcon.HTTP_409, "no processed movie of those has an average yet (setting export.average)")
        return found


def suggestion_of(status: JobStatus) -> Suggestion:
    """What came of `warpcore picker suggest --json`. Raises ValueError or TypeError where it printed something else."""
    movies = status.asked["movies"] if status.asked is not None else []
    found = json.loads(status.output) if status.state is JobState.DONE else []
    return Suggestion(status.state, status.problem, movies, [Proposal(**one) for one in found])
