"""Mean counts, dose and the gain's residual as a movie's results tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.local import process_files

SHAPE, PIXEL, DOSE = (256, 288), 1.3, 2.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gain and a movie of ten frames that needs it, of 2 e⁻/Å² each; a dead column, which the gain names."""
    folder, random = tmp_path_factory.mktemp("counts"), np.random.default_rng(4)
    gain = random.normal(1.2, 0.04, SHAPE).astype(np.float32)
    frames = random.poisson(DOSE * PIXEL**2 / gain, (10, *SHAPE)).astype(np.uint8)
    gain[:, 50] = 0
    frames[:, :, 50] = 0
    write_mrc(folder / "gain.mrc", gain, PIXEL)
    tifffile.imwrite(folder / "a.tif", frames[:, ::-1], photometric="minisblack")
    return folder


def measured(folder: Path, processing: Path, **imported: Any) -> dict[str, Any]:
    given = {"pixel_size": PIXEL, "dose_per_frame": DOSE, **imported}
    settings = parse_settings({"import": given, "ctf": {"enabled": False}, "motion": {"enabled": False}})
    (outcome,) = process_files([folder / "a.tif"], settings, processing, lambda *told: None, device="cpu")
    assert outcome.failure is None
    return dict(outcome.results["input"])


def test_counts_dose_and_residual_of_a_gain_that_fits(folder: Path, tmp_path: Path) -> None:
    found = measured(folder, tmp_path, gain_path=str(folder / "gain.mrc"))
    assert found["mean_counts"] == pytest.approx(DOSE * PIXEL**2 / 1.2, rel=0.01)
    assert found["counted_dose_per_frame"] == pytest.approx(DOSE, rel=0.01)  # 0.3 % are in the dead column
    assert found["gain_residual"] == pytest.approx(0, abs=0.05)  # measured 0.01


def test_a_gain_that_lies_wrong_leaves_all_of_its_pattern_and_without_one_there_is_none(
    folder: Path, tmp_path: Path
) -> None:
    turned = measured(folder, tmp_path / "turned", gain_path=str(folder / "gain.mrc"), gain_flip_y=True)
    assert turned["gain_residual"] == pytest.approx(-1, abs=0.08)
    without = measured(folder, tmp_path / "without")
    assert (without["mean_counts"], without["gain_residual"]) == (turned["mean_counts"], None)
    assert without["counted_dose_per_frame"] == pytest.approx(DOSE / 1.2, rel=0.01)
