"""The steps of one movie: what runs alone later must leave the same files as what ran at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from warpcore.bus.messages import AssignTask
from warpcore.cli.simulation import SimulationOptions, simulate_movies
from warpcore.services.movies.fingerprints import wanted_fingerprints
from warpcore.services.movies.settings import Settings, parse_settings
from warpcore.services.worker.pipeline import commit, compute, load, stage_outputs
from warpcore.services.worker.products import Products


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small movie whose pixel size no float32 holds."""
    folder = tmp_path_factory.mktemp("movie")
    options = SimulationOptions(
        frames=6, height=384, width=416, pixel_size_angstrom=2.1, dose_per_frame=3.0, particles=8, gain=False
    )
    return simulate_movies(folder, 1, options=options, seed=4)[0].path


def settings(**picking: Any) -> Settings:
    imported = {"pixel_size": 2.1, "dose_per_frame": 3.0, "binning": 0.5}
    return parse_settings({"import": imported, "ctf": {"window": 256}, "picking": picking})


def run(movie: Path, processing: Path, options: Settings, steps: list[str], before: dict[str, Any]) -> dict[str, Any]:
    """Run `steps`; what a scheduler would remember of it: results, stored fingerprints, outputs."""
    status = movie.stat()
    wanted = wanted_fingerprints(options, status.st_size, status.st_mtime_ns)
    task = AssignTask(
        lease=1,
        purpose="process",
        name=movie.stem,
        path=movie.name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        run=steps,
        wanted=wanted,
        settings=options.to_dict(),
        data_directory=str(movie.parent),
        processing_directory=str(processing),
        **before,
    )

    def report(step: str, fraction: float, message: str = "") -> None:
        assert 0 <= fraction <= 1

    products: Products = compute(load(task, report), report)
    assert products.ran == steps
    outputs, _ = commit(products, stage_outputs(products, report))
    done = {step: wanted[step] for step in steps}
    return {
        "results": products.results,
        "stored": {**before["stored"], **done},
        "outputs": {**before["outputs"], **{step: outputs[step] for step in steps}},
    }


def files(processing: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(processing)): path.read_bytes()
        for path in processing.rglob("*")
        if path.is_file() and ".warpcore" not in path.parts
    }


def test_picking_alone_later_leaves_the_same_bytes_as_all_at_once(movie: Path, tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"results": {}, "stored": {}, "outputs": {}}
    picking = settings(diameter=130.0)
    at_once, later = tmp_path / "at_once", tmp_path / "later"
    whole = run(movie, at_once, picking, ["motion", "ctf", "picking", "export"], nothing)
    first = run(movie, later, settings(), ["motion", "ctf", "export"], nothing)
    then = run(movie, later, picking, ["picking"], first)
    assert whole["results"]["picking"]["count"] > 0
    assert whole["outputs"]["motion"] == [f"motion/{movie.stem}.{kind}" for kind in ("json", "star", "png")]
    assert then["results"] == whole["results"]
    assert files(later) == files(at_once)


def test_what_is_gone_from_disk_is_made_again(movie: Path, tmp_path: Path) -> None:
    picking = settings(diameter=130.0)
    nothing: dict[str, Any] = {"results": {}, "stored": {}, "outputs": {}}
    done = run(movie, tmp_path, picking, ["motion", "ctf", "picking", "export"], nothing)
    before = files(tmp_path)
    (tmp_path / f"average/{movie.stem}.mrc").unlink()
    run(movie, tmp_path, picking, ["picking"], done)
    again = files(tmp_path)
    assert again == {name: content for name, content in before.items() if not name.startswith("average/")}
