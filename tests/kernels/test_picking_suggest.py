"""Diameters proposed for particles of unknown size."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.test_picking import CENTRES, CTF, GRID, PIXEL, micrograph
from warpcore.kernels.picking import suggest_diameters


def test_the_diameter_of_particles_is_proposed_first() -> None:
    found = suggest_diameters([(micrograph(1, CENTRES), PIXEL, CTF)], smallest_angstrom=70, largest_angstrom=300)
    assert 105 <= found[0].diameter_angstrom <= 150, found  # apoferritin is 122 Å wide; measured 120
    assert 0.9 * len(CENTRES) < found[0].particles < 1.2 * len(CENTRES)
    assert [one.evidence for one in found] == sorted((one.evidence for one in found), reverse=True)


def test_ice_alone_has_no_proposals() -> None:
    assert suggest_diameters([(micrograph(3, GRID[:0]), PIXEL, CTF)], smallest_angstrom=70, largest_angstrom=300) == []


def test_a_range_that_no_micrograph_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="no diameter from 500"):
        suggest_diameters([(np.zeros((128, 128), np.float32), 2.0, None)], smallest_angstrom=500.0)
