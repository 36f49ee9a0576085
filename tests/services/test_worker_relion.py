"""A processed movie as RELION's polishing and Warp take it: frames of the file, references as they lie, names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer
from tests.services.relion_reader import read_table
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.formats.warp_xml_reading import read_movie_xml
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.local import process_files

FRAMES, HEIGHT, WIDTH = 9, 96, 128


NO_MOTION = {"motion": {"enabled": False}}
"""Compiling the fit takes more seconds than all else here."""


def process(movies: list[Path], processing: Path, sections: dict[str, Any], **imported: Any) -> None:
    settings = parse_settings({"import": {"pixel_size": 1.0, **imported}, "ctf": {"enabled": False}, **sections})
    outcomes = process_files(movies, settings, processing, lambda *_: None, device="cpu")
    assert [outcome.failure for outcome in outcomes] == [None] * len(movies)


def general(processing: Path, name: str = "a") -> dict[str, str]:
    return read_table((processing / f"motion/{name}.star").read_text(), "general")[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two movies with a drifting specimen, and their gain as the camera's software wrote it: turned, with zeros."""
    folder = tmp_path_factory.mktemp("session") / "raw"
    folder.mkdir()
    random = np.random.default_rng(5)
    specimen = np.exp(random.normal(0, 0.3, (HEIGHT + FRAMES, WIDTH)))
    gain = random.normal(1, 0.05, (HEIGHT, WIDTH)).astype(np.float32)
    gain[10, 20:30] = 0
    for name in "ab":
        seen = np.stack([specimen[i : i + HEIGHT] for i in range(FRAMES)])
        counts = random.poisson(6 * seen / np.where(gain > 0, gain, 1)).astype(np.uint8)
        # A TIFF's rows are read from the bottom (RELION: rwTIFF.h).
        tifffile.imwrite(folder / f"{name}.tif", counts[:, ::-1], photometric="minisblack", compression="lzw")
    write_mrc(folder / "fits.mrc", gain, 1.0)
    write_mrc(folder / "turned.mrc", np.ascontiguousarray(gain.T[:, ::-1]), 1.0)
    return folder


def test_relion_and_warp_find_all_frames_of_the_file_where_some_are_skipped(data: Path, tmp_path: Path) -> None:
    """RELION: micrograph_model.cpp, read: one shift for each of rlnImageSizeZ frames, by rlnMicrographFrameNumber.

    A number beyond rlnImageSizeZ is written outside of its memory. Warp: Movie.ExportMovie.cs, StepZ.
    """
    process([data / "a.tif"], tmp_path, {"motion": {"grid": [3, 3, 4]}}, skip_first=2, skip_last=1)
    told = general(tmp_path)
    numbers = [
        int(row["rlnMicrographFrameNumber"])
        for row in read_table((tmp_path / "motion/a.star").read_text(), "global_shift")
    ]
    assert (told["rlnImageSizeZ"], told["rlnMicrographStartFrame"]) == (str(FRAMES), "3")
    assert numbers == list(range(3, FRAMES))
    # motioncorr_runner.cpp: doses = pre_exposure + dose_per_frame * (number in the file + 1).
    assert float(told["rlnMicrographPreExposure"]) == 0
    xml = read_movie_xml(tmp_path / "a.xml")
    assert xml.options_movement is not None
    assert xml.options_movement["Dimensions"] == f"{WIDTH},{HEIGHT},{FRAMES}"
    assert xml.options_movement["EERGroupFrames"] == "0"
    for axis, label in (("X", "rlnMicrographShiftX"), ("Y", "rlnMicrographShiftY")):
        along = xml.grids[f"GridMovement{axis}"].values.ravel() + xml.grids[f"GridLocalMovement{axis}"].values[:, 1, 1]
        shifts = [float(row[label]) for row in read_table((tmp_path / "motion/a.star").read_text(), "global_shift")]
        np.testing.assert_allclose(
            along[2 : FRAMES - 1], shifts, atol=1e-5
        )  # both are minus the displacement; 1 Å a px
        assert np.abs(along).max() > 1 or axis == "X"


def test_the_gain_is_written_once_as_relion_multiplies_by_it(data: Path, tmp_path: Path) -> None:
    """RELION: micrograph_handler.cpp, loadMovie: the gain is read as it is, multiplies, and is 0 at defects."""
    turned = {"gain_path": str(data / "turned.mrc"), "gain_flip_x": True, "gain_transpose": True}
    process([data / "a.tif"], tmp_path, NO_MOTION, **turned)
    (file,) = (tmp_path / "references").iterdir()
    before = os.stat(file)
    process([data / "b.tif"], tmp_path, NO_MOTION, **turned)
    assert list((tmp_path / "references").iterdir()) == [file]
    assert os.stat(file).st_mtime_ns == before.st_mtime_ns
    assert general(tmp_path)["rlnMicrographGainName"] == general(tmp_path, "b")["rlnMicrographGainName"]
    gain = mrcfile.read(tmp_path / general(tmp_path)["rlnMicrographGainName"])
    np.testing.assert_array_equal(gain, mrcfile.read(data / "fits.mrc"))
    hot = read_table((tmp_path / "motion/a.star").read_text(), "hot_pixels")
    assert not {(float(row["rlnCoordinateX"]), float(row["rlnCoordinateY"])) for row in hot} & {(20.0, 10.0)}
    options = read_movie_xml(tmp_path / "a.xml").options_movie_export
    assert options is not None
    assert options["GainPath"] == f"references/{file.name}"
    assert {options[name] for name in ("GainFlipX", "GainFlipY", "GainTranspose")} == {"False"}
    process([data / "a.tif"], tmp_path / "same", NO_MOTION, gain_path=str(data / "fits.mrc"))
    assert (
        mrcfile.read(tmp_path / "same" / general(tmp_path / "same")["rlnMicrographGainName"]).tobytes()
        == gain.tobytes()
    )


def test_the_gain_of_an_eer_divides(tmp_path: Path) -> None:
    """RELION: renderEER.h, loadEERGain: all but `.gain` divide, normalised by their mean; 0 is a defect."""
    random = np.random.default_rng(3)
    side = 64
    events = [[(int(p), 1, 2) for p in np.flatnonzero(random.uniform(size=side * side) < 0.3)] for _ in range(6)]
    write_eer(tmp_path / "a.eer", events, (side, side))
    factor = random.normal(1, 0.08, (side, side)).astype(np.float32)
    factor[5] = 0
    tifffile.imwrite(tmp_path / "g.gain", factor, photometric="minisblack")
    process([tmp_path / "a.eer"], tmp_path, NO_MOTION, gain_path=str(tmp_path / "g.gain"), eer_groups=3, skip_first=1)
    told = general(tmp_path)
    gain = mrcfile.read(tmp_path / told["rlnMicrographGainName"])
    np.testing.assert_array_equal(gain == 0, factor == 0)
    np.testing.assert_allclose(gain[factor > 0] * factor[factor > 0], 1, rtol=1e-6)
    # RELION: micrograph_model.cpp, setMovie: frames of an EER are whole groups.
    assert (told["rlnImageSizeZ"], told["rlnEERGrouping"], told["rlnMicrographStartFrame"]) == ("3", "2", "2")
    options = read_movie_xml(tmp_path / "a.xml").options_movie_export
    assert options is not None
    assert options["EERGroupFrames"] == "2"


def test_a_project_that_moves_with_its_movies_stays_whole(data: Path, tmp_path: Path) -> None:
    """Names from a root above both have neither the place of the project in them nor `..`."""
    processing = data.parent / "processing"
    process(
        [data / "a.tif"], processing, {**NO_MOTION, "export": {"project_root": ".."}}, gain_path=str(data / "fits.mrc")
    )
    told = general(processing)
    assert told["rlnMicrographMovieName"] == "raw/a.tif"
    assert told["rlnMicrographGainName"].startswith("processing/references/fits_")
    assert str(data.parent) not in (processing / "motion/a.star").read_text()
    process([data / "a.tif"], tmp_path, NO_MOTION)
    assert general(tmp_path)["rlnMicrographMovieName"] == str(data / "a.tif")
