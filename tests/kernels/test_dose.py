"""Dose weights against the formula of Grant & Grigorieff."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.correct._dose import critical_dose, dose_weights, low_rank_weights


@pytest.mark.parametrize(
    ("k", "voltage", "expected"),
    [(0.1, 300, 0.245 * 0.1**-1.665 + 2.81), (0.3, 200, 0.8 * (0.245 * 0.3**-1.665 + 2.81))],
)
def test_critical_dose(k: float, voltage: float, expected: float) -> None:
    assert critical_dose(k, voltage) == pytest.approx(expected)


def test_weights_keep_noise_power_and_the_mean() -> None:
    k = np.linspace(0, 0.5, 50)
    weights = dose_weights(k, 24, 1.5, 300.0)
    np.testing.assert_allclose((weights**2).mean(0), 1)
    np.testing.assert_allclose(weights[:, 0], 1)
    ratio = weights[7] / weights[2]
    np.testing.assert_allclose(ratio[1:], np.exp(-5 * 1.5 / (2 * critical_dose(k[1:]))))


def test_large_pre_exposure_stays_finite() -> None:
    assert np.isfinite(dose_weights(np.linspace(0, 0.5, 9), 40, 2.0, 300.0, pre_exposure=1e4)).all()


@pytest.mark.parametrize("frames", [2, 24, 200])
def test_few_terms_hold_all_weights(frames: int) -> None:
    k = np.linspace(0, 0.7, 500)
    of_frame, of_frequency = low_rank_weights(k, frames, 40 / frames, 300.0, 0.0, 2e-4)
    assert len(of_frame) <= 8
    assert np.abs(of_frame.T @ of_frequency - dose_weights(k, frames, 40 / frames, 300.0)).max() <= 2e-4
