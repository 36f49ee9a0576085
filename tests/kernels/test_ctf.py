"""CTF estimation against simulated truth and real data; the whole tables are in tests/benchmarks/test_ctf_bench.py."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from tests.kernels.ctf_images import Truth, simulate_image
from warpcore.kernels.ctf import CtfFit, automatic_grid, fit_image, fit_spectrum

TRUTH = Truth()


def fit(image: np.ndarray, truth: Truth = TRUTH, **more: Any) -> CtfFit:
    return fit_image(image, **truth.optics, grid=(1, 1), **more)


def turned(angle: float) -> float:
    """The same axis, in (-90, 90]."""
    return 90 - (90 - angle) % 180


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return simulate_image(TRUTH)


@pytest.fixture(scope="module")
def fitted(image: np.ndarray) -> CtfFit:
    return fit(image)


def test_a_simulated_image_gives_its_defocus_astigmatism_and_angle(fitted: CtfFit) -> None:
    assert fitted.failure is None
    assert fitted.defocus_u_angstrom == pytest.approx(TRUTH.defocus_u, abs=50)
    assert fitted.defocus_v_angstrom == pytest.approx(TRUTH.defocus_v, abs=50)
    assert fitted.angle_degrees == pytest.approx(TRUTH.angle, abs=2)
    assert fitted.resolution_angstrom is not None


def test_equal_input_gives_equal_results(image: np.ndarray, fitted: CtfFit) -> None:
    again = fit(image)
    assert again == fitted
    np.testing.assert_array_equal(again.diagnostic, fitted.diagnostic)


def test_an_image_turned_by_90_degrees_turns_the_angle(image: np.ndarray, fitted: CtfFit) -> None:
    other = fit(np.rot90(image).copy())
    assert other.defocus_u_angstrom == pytest.approx(fitted.defocus_u_angstrom, abs=5)
    assert abs(turned(other.angle_degrees - fitted.angle_degrees - 90)) < 0.5


def test_a_mirrored_image_mirrors_the_angle(image: np.ndarray, fitted: CtfFit) -> None:
    other = fit(image[:, ::-1].copy())
    assert other.defocus_u_angstrom == pytest.approx(fitted.defocus_u_angstrom, abs=5)
    assert abs(turned(other.angle_degrees + fitted.angle_degrees)) < 0.5


def test_results_go_through_json_and_back(fitted: CtfFit) -> None:
    assert CtfFit.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def test_noise_alone_is_refused_with_a_reason(image: np.ndarray) -> None:
    noise = np.random.default_rng(1).standard_normal(image.shape).astype(np.float32)
    result = fit(noise)
    assert result.failure == "no rings"
    assert result.resolution_angstrom is None


def test_hot_pixels_and_nan_do_not_move_the_fit(image: np.ndarray, fitted: CtfFit) -> None:
    spoiled = image.copy()
    where = np.random.default_rng(2).integers(0, 1024, (40, 2))
    spoiled[where[:, 0], where[:, 1]] = 1e5
    spoiled[10, 20:30] = np.nan
    assert fit(spoiled).defocus_u_angstrom == pytest.approx(fitted.defocus_u_angstrom, abs=20)


def test_defocus_outside_the_range_is_a_failure_that_says_so(image: np.ndarray) -> None:
    result = fit(image, defocus_min_um=1.6, defocus_max_um=4.0)
    assert result.failure is not None
    assert "out of range" in result.failure


def test_a_gradient_over_the_field_is_found_and_makes_no_astigmatism() -> None:
    truth = replace(TRUTH, defocus_v=TRUTH.defocus_u, gradient=(2000.0, 0.0))
    result = fit_image(simulate_image(truth), **truth.optics, grid=(2, 2))
    left, right = np.array(result.grid.values_um).reshape(2, 2).mean(axis=0) * 1e4
    assert right - left == pytest.approx(2000, rel=0.07)
    assert result.defocus_u_angstrom - result.defocus_v_angstrom < 250


def test_shapes_that_cannot_be_are_refused_with_their_size() -> None:
    with pytest.raises(ValueError, match=r"\(10, 10\)"):
        fit(np.zeros((10, 10), np.float32))
    with pytest.raises(ValueError, match="square"):
        fit_spectrum(np.zeros((128, 64)), 1.0, 300, 2.7, 0.07, 30, 4, 0.5, 5)


def test_the_automatic_grid_follows_dose_and_field() -> None:
    assert automatic_grid((4096, 4096), 1.0, 60.0) == (5, 5)
    assert automatic_grid((2048, 4096), 1.0, None) == (6, 3)
    assert automatic_grid((2048, 2048), 1.0, 3.0) == (2, 2)


def test_a_real_spectrum_gives_what_ctffind_gave(shared_data: Path) -> None:
    row = next(csv.reader((shared_data / "spectra" / "reference_ctf.csv").read_text().splitlines()[1:]))
    result = fit_spectrum(mrcfile.read(shared_data / "spectra" / row[0]), 1.3995525, 200, 1.4, 0.1, 30, 4, 0.5, 5)
    # Largest difference over all twelve is 48 Å (benchmark).
    assert result.defocus_u_angstrom == pytest.approx(float(row[1]), abs=70)
    assert result.defocus_v_angstrom == pytest.approx(float(row[2]), abs=70)
    assert result.failure is None
