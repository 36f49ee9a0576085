"""`/api/picker/train`: the network trained on the picks that people have edited."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import falcon
import msgspec
from falcon.asgi import Request, Response

from warpcore.bus.messages import Movie
from warpcore.services.api.bodies import only_fields, read_object
from warpcore.services.api.errors import Problem
from warpcore.services.api.picker.background import JobState, JobStatus
from warpcore.services.api.picker.jobs import FOLDER, JobResource, names_in, whole_number
from warpcore.services.api.pictures.files import located, output_path
from warpcore.services.steps import export, picking

WEIGHTS_FOLDER = "picker"
"""Below the processing directory."""
STEPS, MOST_STEPS = 400, 100_000
SCENES, MOST_SCENES = 80, 10_000
HIGHEST_SEED = 2**31
NEEDED = ("optax", "starfile")
"""Packages of the extra `warpcore[train]`."""


class CurvePoint(msgspec.Struct):
    """The loss at a step of the training."""

    step: int
    loss: float


class Training(msgspec.Struct, rename="camel"):
    """A training on edited picks.

    `curve` grows while it runs; `weights` is the file that it has written, and `settings` put it to use by PATCH.
    """

    state: JobState
    problem: str = ""
    movies: list[str] = msgspec.field(default_factory=list)
    diameter_angstrom: float | None = None
    steps: int = 0
    curve: list[CurvePoint] = msgspec.field(default_factory=list)
    weights: str | None = None
    settings: dict[str, Any] | None = None


class TrainResource(JobResource):
    """`/api/picker/train`."""

    NAME = "train"

    async def on_post(self, req: Request, resp: Response) -> None:
        """Train on movies whose picks were edited, all or `names`; optionally `steps`, `scenes` and `seed`."""
        known = {"names": list, "steps": int, "scenes": int, "seed": int}
        body = only_fields(await read_object(req, optional=True), known)
        numbers = {
            "steps": whole_number(body, "steps", STEPS, 1, MOST_STEPS),
            "scenes": whole_number(body, "scenes", SCENES, 1, MOST_SCENES),
            "seed": whole_number(body, "seed", 1, 0, HIGHEST_SEED),
            "diameter": await self._diameter(),
        }
        _check_extra()
        _, processing = await self.movies.directories()
        movies = await self._edited(names_in(body))
        weights = str(processing / WEIGHTS_FOLDER / f"{_id_of(movies, numbers)}.npz")
        asked = {"movies": [movie.name for movie in movies], "weights": weights, **numbers}

        def arguments() -> list[str]:
            folder = str(_gathered(movies, processing))
            files = ["--micrographs", folder, "--coordinates", folder, "--curve", str(_curve_path(processing))]
            options = [text for name, value in numbers.items() for text in (f"--{name}", str(value))]
            return ["picker", "train", weights, *files, *options]

        self.start(resp, processing, asked, arguments)

    def view(self, status: JobStatus, processing: Path) -> Training:
        """With the curve so far."""
        asked = status.asked
        if asked is None:
            return Training(status.state)
        weights = asked["weights"] if status.state is JobState.DONE else None
        return Training(
            status.state,
            status.problem,
            asked["movies"],
            asked["diameter"],
            asked["steps"],
            list(_curve(_curve_path(processing))),
            weights,
            {"picking": {"method": "network", "weights_path": weights}} if weights is not None else None,
        )

    async def _diameter(self) -> float:
        """The diameter that is picked with, Å. Raises Problem where none is set."""
        diameter = (await self.settings())["diameter"]
        if diameter is None:
            raise Problem(falcon.HTTP_409, "the network learns at a diameter; set picking.diameter first")
        return float(diameter)

    async def _edited(self, names: list[str] | None) -> list[Movie]:
        """Processed movies with edits, which their picks follow. Raises Problem where there is none."""
        found = [movie async for movie in self.movies.processed() if movie.hand_picks]
        if names is not None:
            found = [movie for movie in found if movie.name in names]
        if not found:
            problem = "no processed movie of those has picks edited by hand; add and remove picks on a few movies first"
            raise Problem(falcon.HTTP_409, problem)
        return found


def _check_extra() -> None:
    """Raises Problem 409 where a package is missing that training needs."""
    missing = next((name for name in NEEDED if importlib.util.find_spec(name) is None), None)
    if missing is not None:
        where = f"this needs the package {missing}, which is missing where the API runs"
        raise Problem(falcon.HTTP_409, f"{where}: pip install 'warpcore[train]'")


def _id_of(movies: Sequence[Movie], numbers: dict[str, Any]) -> str:
    """A name for the weights: equal picks and numbers make equal ones."""
    picked = [[movie.name, movie.hand_picks, movie.fingerprints.get(picking.STEP.name)] for movie in movies]
    return hashlib.sha256(json.dumps([picked, numbers]).encode()).hexdigest()[:12]


def _gathered(movies: Sequence[Movie], processing: Path) -> Path:
    """A folder with links to averages and coordinates, each pair under the movie's name and number. Raises Problem."""
    folder = processing / FOLDER / "picked"
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
                yield CurvePoint(int(step), float(loss))
