"""`/api/picker/train`: the network trained on the picks that people have edited."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import falcon
import msgspec
from falcon.asgi import Response
from msgspec import Meta

from warpcore.bus.messages import Movie
from warpcore.services.api.bodies import Body
from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.picker.background import BackgroundState, JobStatus
from warpcore.services.api.picker.jobs import FOLDER, JOB_ERRORS, STARTED, JobResource, Names, Problems
from warpcore.services.api.pictures.files import located, output_path
from warpcore.services.api.views import View
from warpcore.services.session.opening import result_path
from warpcore.services.steps import export, picking

WEIGHTS_FOLDER = "picker"
"""Below the processing directory."""
STEPS, MOST_STEPS = 400, 100_000
SCENES, MOST_SCENES = 80, 10_000
HIGHEST_SEED = 2**31
NEEDED = ("optax", "starfile")
"""Packages of the extra `warpcore[train]`."""


class TrainBody(Body, frozen=True):
    """What is trained on, and for how long; numbers as of `warpcore picker train`."""

    names: Names = None
    steps: Annotated[int, Meta(ge=1, le=MOST_STEPS, description="Steps of the training.")] = STEPS
    scenes: Annotated[int, Meta(ge=1, le=MOST_SCENES, description="Simulated scenes that are mixed in.")] = SCENES
    seed: Annotated[int, Meta(ge=0, le=HIGHEST_SEED, description="Equal picks and seed make equal weights.")] = 1


class CurvePoint(View, frozen=True):
    """The loss at a step of the training."""

    step: int
    loss: float


class Training(View, frozen=True):
    """A training on picks that people have edited."""

    state: BackgroundState
    unavailable: Annotated[str | None, Meta(description="Why none can be started here, and what to install.")] = None
    problem: Problems = ""
    movies: list[str] = msgspec.field(default_factory=list)
    diameter_angstrom: float | None = None
    steps: Annotated[int, Meta(description="Steps that were asked for.")] = 0
    curve: Annotated[list[CurvePoint], Meta(description="Grows while it runs.")] = msgspec.field(default_factory=list)
    weights: Annotated[str | None, Meta(description="The file that it has written.")] = None
    settings: Annotated[dict[str, Any] | None, Meta(description="A PATCH of settings that uses the weights.")] = None


class TrainResource(JobResource[Training]):
    """`/api/picker/train`."""

    NAME = "train"

    @operation()
    async def on_get(self) -> Training:
        """How far the training is, with its curve, and what came of it."""
        return await self.told()

    @operation()
    async def on_delete(self) -> Training:
        """Cancel the training."""
        return await self.cancelled()

    @operation(status=202, optional_body=True, errors=JOB_ERRORS, headers=STARTED)
    async def on_post(self, resp: Response, body: TrainBody) -> Training:
        """Train the picking network in the background, on movies whose picks were edited by hand."""
        diameter = await self._diameter()
        numbers = {"steps": body.steps, "scenes": body.scenes, "seed": body.seed, "diameter": diameter}
        reason = unavailable()
        if reason is not None:
            raise Problem(falcon.HTTP_409, reason)
        _, processing = await self.movies.directories()
        movies = await self._edited(body.names)
        weights = f"{WEIGHTS_FOLDER}/{_id_of(movies, numbers)}.npz"
        names = [movie.name for movie in movies]
        asked = {"movies": names, "weights": await self.movies.named(weights), **numbers}

        def arguments() -> list[str]:
            folder = str(_gathered(movies, processing))
            files = ["--micrographs", folder, "--coordinates", folder, "--curve", str(_curve_path(processing))]
            options = [text for name, value in numbers.items() for text in (f"--{name}", str(value))]
            return ["picker", "train", str(result_path(processing, weights)), *files, *options]

        return await self.start(resp, processing, asked, arguments)

    def view(self, status: JobStatus, processing: Path) -> Training:
        """With the curve so far."""
        return training_of(status, list(_curve(_curve_path(processing))), unavailable())

    async def _diameter(self) -> float:
        """The diameter that is picked with, Å. Raises Problem where none is set."""
        diameter = (await self.settings())["diameter"]
        if diameter is None:
            raise Problem(falcon.HTTP_409, "the network learns at a diameter; set picking.diameter first")
        return float(diameter)

    async def _edited(self, names: list[str] | None) -> list[Movie]:
        """Processed movies with edits, which their picks follow. Raises Problem where there is none."""
        found = [movie async for movie in self.movies.processed(names) if movie.hand_picks]
        if not found:
            problem = "no processed movie of those has picks edited by hand; add and remove picks on a few movies first"
            raise Problem(falcon.HTTP_409, problem)
        return found


def training_of(status: JobStatus, curve: list[CurvePoint], unavailable: str | None) -> Training:
    """What came of `warpcore picker train`, and why it cannot be started, if so."""
    asked = status.asked
    if asked is None:
        return Training(state=status.state, unavailable=unavailable)
    weights = asked["weights"] if status.state is BackgroundState.DONE else None
    used = {"picking": {"method": "network", "weights_path": weights}}
    return Training(
        state=status.state,
        unavailable=unavailable,
        problem=status.problem,
        movies=asked["movies"],
        diameter_angstrom=asked["diameter"],
        steps=asked["steps"],
        curve=curve,
        weights=weights,
        settings=used if weights is not None else None,
    )


def unavailable(needed: Sequence[str] = NEEDED) -> str | None:
    """Why nothing can be trained where the API runs, and what to install; None where all packages are there."""
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    packages = f"{' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed where the API runs"
    return f"training needs {packages}: pip install 'warpcore[train]' there"


def _id_of(movies: Sequence[Movie], numbers: dict[str, Any]) -> str:
    """A name for the weights: equal picks and numbers make equal ones."""
    picked = [[movie.name, movie.hand_picks, movie.fingerprints.get(picking.STEP.name)] for movie in movies]
    return hashlib.sha256(json.dumps([picked, numbers]).encode()).hexdigest()[:12]


def _gathered(movies: Sequence[Movie], processing: Path) -> Path:
    """A folder with links to averages and coordinates, each pair under the movie's name and number. Raises Problem."""
    folder = result_path(processing, f"{FOLDER}/picked")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _curve_path(processing).unlink(missing_ok=True)
    for movie in movies:
        for output, suffix in ((export.AVERAGE, ".mrc"), (picking.COORDINATES, ".star")):
            path = located(processing, output_path(movie, output))
            if not path.is_file():
                raise Problem(falcon.HTTP_409, f"{movie.name} has no {path}; it must be processed with export.average")
            (folder / f"{movie.name.replace('/', '_')}-{movie.id}{suffix}").symlink_to(path)
    return folder


def _curve_path(processing: Path) -> Path:
    return processing / FOLDER / "curve.csv"


def _curve(path: Path) -> Iterator[CurvePoint]:
    """The whole lines of the curve so far."""
    if path.is_file():
        for line in path.read_text().splitlines(keepends=True)[1:]:
            if line.endswith("\n"):
                step, loss = line.split(",")
                yield CurvePoint(step=int(step), loss=float(loss))
