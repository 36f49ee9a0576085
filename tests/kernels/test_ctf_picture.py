"""The diagnostic picture: data left, model right, the ring where the fit ends."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.ctf_images import Truth, fit_truth, simulate_image
from warpcore.kernels.ctf._picture import RING_COLOUR, ctf_picture


def test_the_ring_lies_at_the_fit_resolution_on_both_sides() -> None:
    truth = Truth(defocus_v=15000.0)
    fit = fit_truth(simulate_image(truth, (512, 512)), truth, grid=(1, 1))
    picture = ctf_picture(fit.diagnostic)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    middle = (picture.shape[0] - 1) / 2
    y, x = np.nonzero((picture == RING_COLOUR).all(axis=2))
    assert (x < middle).any()
    assert (x > middle).any()
    # 1.4 times the finest frequency fitted, 1/4 Å, is where the picture ends.
    radius = np.hypot(y - middle, x - middle) / middle * 1.4 / 4.0
    assert fit.resolution_angstrom is not None
    assert np.median(radius) == pytest.approx(1 / fit.resolution_angstrom, rel=0.02)


def test_what_is_dark_and_bright_follows_the_diagnostic() -> None:
    diagnostic = np.zeros((401, 401), np.float32)
    diagnostic[100, 50], diagnostic[100, 300] = 1.0, 1.0
    picture = ctf_picture(diagnostic)
    assert picture.shape == (401, 401, 3)
    assert picture[100, 50, 0] > picture[100, 51, 0]
    assert picture[100, 300].tolist() == [255, 255, 255]
    assert picture[100, 301].tolist() == [0, 0, 0]


def test_an_empty_diagnostic_is_refused() -> None:
    with pytest.raises(ValueError, match="diagnostic"):
        ctf_picture(np.zeros((0, 0), np.float32))
