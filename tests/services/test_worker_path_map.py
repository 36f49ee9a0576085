"""A worker that mounts the session's folders elsewhere: it opens files there, and names them as the scheduler does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from warpcore.bus.messages import AssignTask, LookAtFolders, WorkerSees
from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.failures import TaskError
from warpcore.services.worker.pipeline import compute, load, stage_outputs
from warpcore.services.worker.seeing import sees, trouble

STEPS = ["motion", "picking", "export"]
"""Those that open files; fits take long to compile."""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host's folders `data`, `processing` and `references`, with one movie, gain, defects, templates."""
    there = tmp_path_factory.mktemp("scheduler") / "there"
    options = SimulationOptions(frames=4, height=256, width=256, pixel_size_angstrom=2.0, particles=8)
    simulate_movies(there / "data", 1, options=options, seed=4)
    references = there / "references"
    references.mkdir()
    (there / "data" / "gain.mrc").rename(references / "gain.mrc")
    (references / "defects.txt").write_text("10 10 4 4\n")
    with mrcfile.new(references / "templates.mrcs") as file:
        disc = np.hypot(*np.mgrid[-24:24, -24:24]) < 20
        file.set_data(disc[None].astype(np.float32))
        file.voxel_size = 4.0
    return there


def task_of(there: Path) -> AssignTask:
    """What a scheduler on the host with these folders gives a worker."""
    references = there / "references"
    settings = parse_settings(
        {
            "import": {
                "pixel_size": 2.0,
                "dose_per_frame": 2.0,
                "gain_path": str(references / "gain.mrc"),
                "defects_path": str(references / "defects.txt"),
            },
            "motion": {"enabled": False},
            "ctf": {"enabled": False},
            "picking": {
                "method": "template",
                "templates_path": str(references / "templates.mrcs"),
                "diameter": 160.0,
                "rotation_step": 45.0,
            },
            "export": {"particles": True, "mtf_path": str(references / "mtf.star"), "project_root": ".."},
        }
    )
    movie = there / "data" / "movie_0001.tif"
    return AssignTask(
        lease=1,
        purpose="process",
        name="movie_0001",
        path=movie.name,
        size=movie.stat().st_size,
        mtime_ns=movie.stat().st_mtime_ns,
        run=STEPS,
        wanted={},
        settings=settings.to_dict(),
        results={},
        data_directory=str(there / "data"),
        processing_directory=str(there / "processing"),
        references=[str(references)],
    )


def silent(step: str, fraction: float, message: str = "") -> None:
    """Nobody listens."""


def done(task: AssignTask, processing: Path, paths: PathMap = AS_TOLD) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The results of the task, and the bytes of all that it has written into `processing`."""
    work = compute(load(task, silent, paths=paths), silent)
    stage_outputs(work, silent)
    return work.results, {
        str(path.relative_to(processing)): path.read_bytes() for path in sorted(processing.rglob("*")) if path.is_file()
    }


def test_outputs_of_a_host_that_mounts_all_folders_elsewhere_are_those_of_any_other(
    there: Path, tmp_path: Path
) -> None:
    task = task_of(there)
    results, files = done(task, there / "processing")
    assert results["picking"]["method"] == "template"
    assert any(name.startswith("references/gain_") for name in files)
    assert any(name.startswith("references/defects_") for name in files)
    shutil.rmtree(there / "processing")
    try:
        for folder in ("data", "references"):
            (there / folder).rename(tmp_path / f"{folder} here")
        paths = PathMap.of(f"{there}/{name}={tmp_path}/{name} here" for name in ("data", "processing", "references"))
        assert done(task, tmp_path / "processing here", paths) == (results, files)
        assert not list(there.iterdir()), "nothing was written where the scheduler has its folders"
        with pytest.raises(TaskError, match=f"{there}/data: No such file or directory"):
            load(task, silent)
    finally:
        for folder in ("data", "references"):
            (tmp_path / f"{folder} here").rename(there / folder)


def test_a_worker_says_where_it_has_looked_under_its_map(tmp_path: Path) -> None:
    (tmp_path / "results/.warpcore").mkdir(parents=True)
    (tmp_path / "results/.warpcore/token").write_text("0123456789abcdef")
    (tmp_path / "movies").mkdir()
    (tmp_path / "movies/a.tif").write_text("frames")
    found = (tmp_path / "movies/a.tif").stat()
    question = LookAtFolders("/there/results", "/there/movies", "a.tif")
    looked_in = {"/there/results": f"{tmp_path}/results", "/there/movies": f"{tmp_path}/movies"}
    seen = sees("w", question, PathMap.of([f"/there={tmp_path}"]))
    assert seen == WorkerSees("w", "0123456789abcdef", "a.tif", found.st_size, found.st_mtime_ns, looked_in=looked_in)
    assert trouble(seen) == ""
    (tmp_path / "movies/a.tif").unlink()
    assert trouble(sees("w", question, PathMap.of([f"/there={tmp_path}"]))) == (
        "a.tif is not there in the data directory (--path-map: "
        f"/there/results at {tmp_path}/results, /there/movies at {tmp_path}/movies); is it mounted on this host?"
    )
