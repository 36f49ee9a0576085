"""What a fit says where it cannot be believed, or only just."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import fft

from tests.kernels.ctf_images import Truth, fit_truth, simulate_image
from warpcore.kernels.ctf import CtfFit

TRUTH = Truth()


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return simulate_image(TRUTH)


def fit(image: np.ndarray, **more: Any) -> CtfFit:
    return fit_truth(image, TRUTH, grid=(1, 1), **more)


def blurred(length_angstrom: float, direction_degrees: float, seed: int) -> np.ndarray:
    """A specimen of twice the usual contrast that moved straight while it was recorded, and the counting noise."""
    truth = replace(TRUTH, signal_to_noise=0.5, strong=2.0)
    kx, ky = np.fft.rfftfreq(1024, 1.1)[None, :], np.fft.fftfreq(1024, 1.1)[:, None]
    turn = np.deg2rad(direction_degrees)
    blur = np.sinc(length_angstrom * (kx * np.cos(turn) + ky * np.sin(turn)))
    specimen = fft.irfft2(fft.rfft2(simulate_image(truth, seed=seed, noise=0.0)) * blur, s=(1024, 1024))
    noise = np.random.default_rng([seed, 1]).standard_normal((1024, 1024), dtype=np.float32)
    return np.asarray(specimen + noise, np.float32)


@pytest.mark.parametrize(("length", "direction"), [(60.0, 100.0)])
def test_drift_is_told_with_its_direction(length: float, direction: float) -> None:
    failure = fit(blurred(length, direction, 3)).failure
    assert failure is not None
    assert failure.startswith("drift")
    told = float(failure.split("°")[0].split()[-1])
    # Measured 100°; wedges are 15° apart.
    assert abs((told - direction + 90) % 180 - 90) < 20


def test_movement_within_a_frame_is_the_reason_where_it_is_known() -> None:
    noise = np.random.default_rng(1).standard_normal((1024, 1024), dtype=np.float32)
    assert fit(noise).failure == "no rings"
    assert fit(noise, moved_in_frame_angstrom=3.0).failure == "no rings"
    assert fit(noise, moved_in_frame_angstrom=14.4).failure == (
        "drift: no rings; the specimen moved 14 Å within one frame"
    )


@pytest.mark.parametrize(("low", "high"), [(2.2, 5.0), (0.3, 0.7)])
def test_a_defocus_far_outside_the_range_is_told(image: np.ndarray, low: float, high: float) -> None:
    result = fit(image, defocus_min_um=low, defocus_max_um=high)
    assert result.failure == f"out of range: rings fit 1.47 µm, searched {low:g} to {high:g} µm"
    assert result.resolution_angstrom is None


@pytest.mark.parametrize(("low", "high"), [(1.45, 5.0), (0.5, 1.49)])
def test_a_defocus_at_the_edge_of_the_range_is_a_warning(image: np.ndarray, low: float, high: float) -> None:
    result = fit(image, defocus_min_um=low, defocus_max_um=high)
    assert result.failure is None
    (warning,) = result.warnings
    assert "at the edge of the search range" in warning
    assert fit(image).warnings == []
