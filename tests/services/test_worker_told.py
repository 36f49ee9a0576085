"""`warpcore process` on movies whose metadata lie beside them: what they say is used, and results say so."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from tests.services.metadata_files import epu_xml
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.worker.local import FileOutcome, process_files

FRAMES, SIDE_PX = 4, 128
QUICK = {"motion": {"enabled": False}, "ctf": {"enabled": False}}


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """Noise whose header gives a cell as long as the image is wide."""
    return written(tmp_path / "FoilHole_1_Data_2_3_20250101_120000_Fractions.mrc", 1.0)


def written(path: Path, pixel_size_angstrom: float) -> Path:
    frames = np.random.default_rng(1).poisson(5, (FRAMES, SIDE_PX, SIDE_PX)).astype(np.int16)
    with mrcfile.new(path) as file:
        file.set_data(frames)
        file.voxel_size = pixel_size_angstrom
    return path


def processed(movie: Path, settings: Settings | None = None) -> FileOutcome:
    options = settings or parse_settings(QUICK)
    (outcome,) = process_files([movie], options, movie.parent / "out", lambda *_: None, device="cpu")
    return outcome


def test_metadata_beside_a_movie_are_used_and_named_in_its_results(movie: Path) -> None:
    source = "FoilHole_1_Data_2_3_20250101_120000.xml"
    (movie.parent / source).write_bytes(
        epu_xml(pixel_size_angstrom=1.6, size=(SIDE_PX // 2, SIDE_PX // 2), dose=6.0, voltage_kv=200.0)
    )
    read = processed(movie).results["input"]
    assert (read["voltage_kv"], read["cs_mm"], read["dose_per_frame"]) == (200.0, 2.7, 1.5)
    assert read["raw_pixel_size_angstrom"] == 0.8, "of an image of half the width"
    assert read["metadata"] == source
    assert read["sources"] == {
        "ctf.voltage": "metadata",
        "ctf.cs": "assumed",
        "import.pixel_size": "metadata",
        "import.dose_per_frame": "metadata",
    }


def test_without_a_pixel_size_a_file_is_refused_with_what_to_do(movie: Path) -> None:
    failure = processed(movie).failure
    assert failure is not None
    assert failure.kind is FailureKind.INPUT
    assert failure.message == (
        f"{movie}: pixel size unknown (its header says 1.00 Å exactly, which writers give that do not know it): "
        "set import.pixel_size"
    )


def test_damaged_metadata_stop_nothing(movie: Path, caplog: pytest.LogCaptureFixture) -> None:
    (movie.parent / "FoilHole_1_Data_2_3_20250101_120000.xml").write_bytes(b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>')
    outcome = processed(movie, parse_settings({**QUICK, "import": {"pixel_size": 1.1}}))
    assert outcome.failure is None
    assert outcome.results["input"]["sources"]["ctf.voltage"] == "assumed"
    assert ["FoilHole_1_Data_2_3_20250101_120000.xml is of no use" in one for one in caplog.messages].count(True) == 1
