"""The steps of one movie: what runs alone later must leave the same files as what ran at once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile

from warpcore.bus.messages import AssignTask
from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.kernels.ctf._fit import CtfFit
from warpcore.services.session.declared import paths_of, staged_files
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.errors import InputError
from warpcore.services.session.fingerprints import same_costly_half, steps_to_run, wanted_fingerprints
from warpcore.services.session.paths import try_folder
from warpcore.services.session.placing import Placement, drop, place
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.worker.pipeline import compute, load, stage_outputs
from warpcore.services.worker.steps.work import Work

NOTHING: dict[str, Any] = {"results": {}, "stored": {}, "outputs": {}}


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small movie whose pixel size no float32 holds."""
    folder = tmp_path_factory.mktemp("movie")
    options = SimulationOptions(
        frames=6, height=384, width=416, pixel_size_angstrom=2.1, dose_per_frame=3.0, particles=8, gain=False
    )
    return simulate_movies(folder, 1, options=options, seed=4)[0].path


def settings(export: dict[str, Any] | None = None, **picking: Any) -> Settings:
    imported = {"pixel_size": 2.1, "dose_per_frame": 3.0, "binning": 0.5}
    return parse_settings({"import": imported, "ctf": {"window": 256}, "picking": picking, "export": export or {}})


def wanted_by(movie: Path, options: Settings) -> dict[str, str]:
    status = movie.stat()
    return wanted_fingerprints(options, status.st_size, status.st_mtime_ns)


def run(
    movie: Path, processing: Path, options: Settings, steps: list[str], before: dict[str, Any], purpose: str = "process"
) -> dict[str, Any]:
    """Run `steps`; what a scheduler would remember of it: results, stored fingerprints, outputs."""
    status = movie.stat()
    wanted = wanted_by(movie, options)
    task = AssignTask(
        lease=1,
        purpose=purpose,
        name=movie.stem,
        path=movie.name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        run=steps,
        wanted=wanted,
        settings=options.to_dict(),
        data_directory=str(movie.parent),
        processing_directory=str(processing),
        results=before["results"],
        stored=before["stored"],
    )

    def report(step: str, fraction: float, message: str = "") -> None:
        assert 0 <= fraction <= 1

    products: Work = compute(load(task, report), report)
    assert products.run == steps
    reported = stage_outputs(products, report).outputs
    outputs = paths_of(reported, movie.stem, "picks")
    staged = staged_files(reported, movie.stem, "picks")
    new = {path for paths in outputs.values() for path in paths}
    unchanged = sorted(new - staged.keys())
    former = {path: step for step, paths in before["outputs"].items() for path in paths if path not in new}
    stale = [path for path, step in former.items() if step in steps]
    others = [path for path, step in former.items() if step not in steps]
    target = "" if purpose == "process" else try_folder(purpose)
    disk = DiskFiles(processing)
    place(disk, Placement(movie.stem, "1", staged, unchanged, stale, target=target, linked=others))
    drop(disk, "1")
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
        if path.is_file() and ".warpcore" not in path.relative_to(processing).parts
    }


def test_picking_alone_later_leaves_the_same_bytes_as_all_at_once(movie: Path, tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"results": {}, "stored": {}, "outputs": {}}
    picking = settings(diameter=130.0)
    at_once, later = tmp_path / "at_once", tmp_path / "later"
    whole = run(movie, at_once, picking, ["motion", "ctf", "picking", "export"], nothing)
    first = run(movie, later, settings(), ["motion", "ctf", "export"], nothing)
    then = run(movie, later, picking, ["picking"], first)
    assert whole["results"]["picking"]["count"] > 0
    assert whole["outputs"]["motion"] == [f"motion/{movie.stem}.{kind}" for kind in ("json", "png", "star")]
    assert then["results"] == whole["results"]
    assert files(later) == files(at_once)


def test_a_path_that_no_star_file_can_hold_is_refused_before_anything_runs(movie: Path, tmp_path: Path) -> None:
    unnamed = tmp_path / "a\n'\".tif"
    shutil.copy(movie, unnamed)
    with pytest.raises(InputError, match=r"its name has a control character, .*rename it") as refused:
        run(unnamed, tmp_path / "results", settings(), ["motion"], NOTHING)
    assert "\n" not in str(refused.value)


def test_what_is_gone_from_disk_is_made_again(movie: Path, tmp_path: Path) -> None:
    picking = settings(diameter=130.0)
    nothing: dict[str, Any] = {"results": {}, "stored": {}, "outputs": {}}
    done = run(movie, tmp_path, picking, ["motion", "ctf", "picking", "export"], nothing)
    before = files(tmp_path)
    (tmp_path / f"average/{movie.stem}.mrc").unlink()
    run(movie, tmp_path, picking, ["picking"], done)
    again = files(tmp_path)
    assert again == {name: content for name, content in before.items() if not name.startswith("average/")}


NOTHING: dict[str, Any] = {"results": {}, "stored": {}, "outputs": {}}
ALL = ["motion", "ctf", "picking", "export"]


def test_another_threshold_takes_the_kept_scores_and_leaves_the_bytes_of_a_fresh_run(
    movie: Path, tmp_path: Path
) -> None:
    """Both runs extract particles too, so that what follows from the picks is compared as well."""
    fresh, again, spoilt = tmp_path / "fresh", tmp_path / "again", tmp_path / "spoilt"
    low = settings({"particles": True}, diameter=130.0, threshold=0.35)
    whole = run(movie, fresh, low, ALL, NOTHING)
    high = settings({"particles": True}, diameter=130.0, threshold=middle_score(fresh, movie))
    before = run(movie, again, high, ALL, NOTHING)
    shutil.copytree(again, spoilt)
    wanted, stored = (wanted_by(movie, one) for one in (low, high))
    assert steps_to_run(wanted, stored) == ["picking", "export"]
    after = run(movie, again, low, ["picking", "export"], before)
    assert after == whole
    assert files(again) == files(fresh)
    assert before["results"]["picking"]["count"] < after["results"]["picking"]["count"]
    histogram = after["results"]["picking"]["score_histogram"]
    assert histogram == before["results"]["picking"]["score_histogram"]
    assert sum(histogram[7:]) == after["results"]["picking"]["count"]  # 0.35 is where the eighth bin begins

    # Whether the scores were really taken from the file: what it holds is what comes out.
    kept = spoilt / f"matching/{movie.stem}_picks.json"
    kept.write_text(json.dumps({"x_px": [100.5], "y_px": [200.25], "scores": [0.4]}))
    assert run(movie, spoilt, low, ["picking", "export"], before)["results"]["picking"]["count"] == 1
    # Other options of picking score anew; so does a file that cannot be read.
    kept.write_text("{")
    assert run(movie, spoilt, low, ["picking", "export"], before) == whole
    assert files(spoilt) == files(fresh)
    assert same_costly_half("picking", wanted, stored)
    other = wanted_by(movie, settings({"particles": True}, diameter=131.0, threshold=0.35))
    assert not same_costly_half("picking", other, stored)


def test_an_expected_share_of_false_picks_takes_the_kept_scores_too(movie: Path, tmp_path: Path) -> None:
    fresh, again = tmp_path / "fresh", tmp_path / "again"
    before = run(movie, again, settings(diameter=130.0), ALL, NOTHING)
    share = float(np.mean(1 - scores_of(again, movie)[:4])) + 1e-9
    few = settings(diameter=130.0, expected_false=share)
    wanted, stored = wanted_by(movie, few), wanted_by(movie, settings(diameter=130.0))
    assert steps_to_run(wanted, stored) == ["picking"]
    assert same_costly_half("picking", wanted, stored)
    after = run(movie, again, few, ["picking"], before)
    assert after == run(movie, fresh, few, ALL, NOTHING)
    assert files(again) == files(fresh)
    assert after["results"]["picking"]["count"] == 4 < before["results"]["picking"]["count"]


def scores_of(processing: Path, movie: Path) -> np.ndarray:
    """The kept scores of a movie, best first."""
    return np.array(json.loads((processing / f"matching/{movie.stem}_picks.json").read_text())["scores"])


def test_a_try_leaves_the_bytes_of_a_session_with_its_settings_and_touches_none_of_the_sessions(
    movie: Path, tmp_path: Path
) -> None:
    session, fresh = tmp_path / "session", tmp_path / "fresh"
    done = run(movie, session, settings(), ["motion", "ctf", "export"], NOTHING)
    before = files(session)
    folder = session / ".warpcore/tries/try-1"
    tried = parse_settings({**settings().to_dict(), "ctf": {"window": 256, "range_max": 6.0}})
    results = run(movie, session, tried, ["ctf", "export"], done, purpose="try-1")
    assert results["results"] == run(movie, fresh, tried, ["motion", "ctf", "export"], NOTHING)["results"]
    assert files(folder) == files(fresh) != before
    assert files(session) == before
    assert not (folder / ".warpcore/kept").exists()
    average = f"average/{movie.stem}.mrc"
    assert (folder / average).samefile(session / average), "what is as it was takes no space"


def middle_score(processing: Path, movie: Path) -> float:
    """A threshold that half of a movie's picks pass; they are all clear ones."""
    return float(np.median(scores_of(processing, movie)))


def test_settings_of_extraction_alone_cut_boxes_out_of_the_images_that_are_there(movie: Path, tmp_path: Path) -> None:
    fresh, again = tmp_path / "fresh", tmp_path / "again"
    images = {"halves": True, "deconvolution": True, "float16": True}
    small = settings({**images, "particles": True, "box_size": 64}, diameter=130.0)
    other = settings({**images, "particles": True, "box_size": 80, "particle_pixel_size": 4.0}, diameter=130.0)
    whole = run(movie, fresh, other, ALL, NOTHING)
    before = run(movie, again, small, ALL, NOTHING)
    average = again / f"average/{movie.stem}.mrc"
    made = average.stat()
    assert steps_to_run(wanted_by(movie, other), wanted_by(movie, small)) == ["export"]
    content, status = movie.read_bytes(), movie.stat()
    movie.write_bytes(bytes(len(content)))  # whoever reads frames fails
    os.utime(movie, ns=(status.st_atime_ns, status.st_mtime_ns))
    try:
        after = run(movie, again, other, ["export"], before)
    finally:
        movie.write_bytes(content)
        os.utime(movie, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert after["results"] == whole["results"]
    assert {step: sorted(names) for step, names in after["outputs"].items()} == {
        step: sorted(names) for step, names in whole["outputs"].items()
    }
    assert files(again) == files(fresh)
    assert (average.stat().st_ino, average.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)
    # Without particles none of them stay, and with them again they are as they were.
    without = run(movie, again, settings(images, diameter=130.0), ["export"], after)
    assert not [name for name in files(again) if name.startswith("particles/")]
    assert without["results"]["export"]["average"] == f"average/{movie.stem}.mrc"
    run(movie, again, other, ["export"], without)
    assert files(again) == files(fresh)
    # An image that is gone has all of them made again, from the frames.
    (again / f"average/odd/{movie.stem}.mrc").unlink()
    run(movie, again, small, ["export"], after)
    assert (again / f"average/odd/{movie.stem}.mrc").exists()


def test_extracted_particles_agree_with_their_rows_the_average_and_the_ctf(movie: Path, tmp_path: Path) -> None:
    """Read back as RELION would: starfile for the rows, mrcfile for the boxes."""
    options = {"particles": True, "box_size": 96, "float16": True, "invert": False, "normalize": False}
    done = run(movie, tmp_path, settings(options, diameter=130.0, threshold=0.35), ALL, NOTHING)
    picks = starfile.read(tmp_path / f"matching/{movie.stem}_picks.star")
    blocks = starfile.read(tmp_path / f"particles/{movie.stem}_picks.star")
    optics, rows = blocks["optics"], blocks["particles"]
    results = done["results"]
    assert results["export"]["particle_count"] == len(rows) > 0
    assert results["export"]["particle_count"] + results["export"]["particles_at_edge"] == len(picks)
    assert results["export"]["particles_at_edge"] > 0
    with mrcfile.open(tmp_path / f"average/{movie.stem}.mrc") as file:
        average = np.asarray(file.data, np.float32)
    height, width = average.shape
    x, y = np.trunc(picks["rlnCoordinateX"]), np.trunc(picks["rlnCoordinateY"])
    inside = (x >= 48) & (y >= 48) & (x <= width - 1 - 47) & (y <= height - 1 - 47)
    np.testing.assert_array_equal(rows["rlnAutopickFigureOfMerit"], picks["rlnAutopickFigureOfMerit"][inside])
    for axis, cut in (("X", x), ("Y", y)):
        np.testing.assert_array_equal(rows[f"rlnCoordinate{axis}"], cut[inside])
        place = rows[f"rlnCoordinate{axis}"] - rows[f"rlnOrigin{axis}Angst"] / results["input"]["pixel_size_angstrom"]
        np.testing.assert_allclose(place, picks[f"rlnCoordinate{axis}"][inside], atol=1e-6)  # six digits are written
    with mrcfile.open(tmp_path / f"particles/{movie.stem}_picks.mrcs") as file:
        assert int(file.header.mode) == 12  # float16
        assert file.voxel_size.x == pytest.approx(results["input"]["pixel_size_angstrom"], rel=1e-6)
        stack = np.asarray(file.data, np.float32)
    assert list(rows["rlnImageName"]) == [
        f"{n:06d}@particles/{movie.stem}_picks.mrcs" for n in range(1, len(stack) + 1)
    ]
    for box, cx, cy in zip(stack, x[inside].astype(int), y[inside].astype(int), strict=True):
        pixels = average[cy - 48 : cy + 48, cx - 48 : cx + 48]
        assert np.abs(box - pixels).max() < 2e-3 * np.abs(pixels).max()  # float16 twice: 2 x 2^-11
    assert set(rows["rlnOpticsGroup"]) == {1}
    assert optics["rlnImageSize"].tolist() == [96]
    assert optics["rlnImagePixelSize"][0] == pytest.approx(results["input"]["pixel_size_angstrom"], abs=1e-5)
    fit = CtfFit.from_dict(json.loads((tmp_path / f"powerspectrum/{movie.stem}.json").read_text()))
    picked = picks[inside].reset_index()
    here = 1e4 * fit.grid.um_at(picked["rlnCoordinateX"] / (width - 1), picked["rlnCoordinateY"] / (height - 1))
    np.testing.assert_allclose((rows["rlnDefocusU"] + rows["rlnDefocusV"]) / 2, here, atol=1e-3)
    assert rows["rlnDefocusU"].nunique() > 1 or fit.grid.dims == (1, 1)
