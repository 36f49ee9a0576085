"""The parts of correction: taps, windows of frames, displacements by cell."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.correct._field import CELL, Displacements, cell_field, side
from warpcore.kernels.correct._taps import HALF, STEPS, furthest, tap_table, transfer
from warpcore.kernels.correct._windows import Windows
from warpcore.kernels.image._defects import plan_repair
from warpcore.kernels.motion._model import MotionModel


@pytest.mark.parametrize("extra", [0, 4])
def test_taps_hold_a_constant_and_whole_pixels(extra: int) -> None:
    table = tap_table(extra)
    np.testing.assert_allclose(table.sum(1), 1, atol=1e-6)
    for pixels in range(-1 - extra, 2 + extra):
        row = table[furthest(extra) + pixels * STEPS]
        expected = np.arange(-HALF - extra, HALF + extra + 1) == pixels
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_taps_shift_a_wave() -> None:
    fraction = np.arange(-STEPS // 2, STEPS // 2 + 1) / STEPS
    taps = tap_table(0)[furthest(0) - STEPS // 2 : furthest(0) + STEPS // 2 + 1]
    k = np.linspace(0, 0.45, 200)
    place = np.arange(-HALF, HALF + 1)
    shifted = np.exp(2j * np.pi * k[:, None] * place) @ taps.T
    error = np.abs(shifted - np.exp(2j * np.pi * k[:, None] * fraction)).max(1)
    assert error[k <= 0.43].max() < 0.0105  # measured 0.0102
    assert error.max() < 0.0132  # measured 0.0129, between 0.88 and 0.9 of Nyquist
    kept = transfer(k, np.abs(fraction))
    np.testing.assert_allclose(kept, (shifted * np.exp(-2j * np.pi * k[:, None] * fraction)).real, atol=1e-6)


def _model() -> MotionModel:
    random = np.random.default_rng(4)
    nodes = random.normal(0, 3, (3, 4, 3, 2)).astype(np.float32)
    return MotionModel(9, random.normal(0, 40, (9, 2)).astype(np.float32), nodes)


def test_displacements_are_those_of_the_model() -> None:
    model, pixel = _model(), 1.3
    x, y = np.array([0.0, 20.0, 399.0]), np.array([0.0, 150.0, 299.0])
    found = Displacements(model, 300, 400, pixel)
    at_x, at_y = np.meshgrid(x / 400, y / 300)
    expected = model.displacements_angstrom(at_x, at_y) / pixel
    for axis in (0, 1):
        np.testing.assert_allclose(found.along(axis, range(9), y, x), expected[..., axis], atol=1e-9)
        np.testing.assert_allclose(found.along(axis, range(3, 5), y, x), expected[3:5, ..., axis], atol=1e-9)


def test_cells_start_to_read_and_shift_as_the_displacement_says() -> None:
    displacements = Displacements(_model(), 300, 400, 1.3)
    field = cell_field(displacements, range(9), 1, 3)
    assert len(field.corners) == 8
    # Cell 5: second row of these (row 2), second column; its block (3, 1) begins at 48 rows and 32 columns.
    x, y = CELL + 32 + 15.5, 2 * CELL + 48 + 7.5
    reach = HALF + field.extra
    whole = field.corners[5] + reach - (CELL, 2 * CELL)
    wanted = displacements.along(1, range(9), np.array([y]), np.array([x]))[:, 0, 0]
    part = (field.index_y[5, :, 3, 1] - furthest(field.extra)) / STEPS
    np.testing.assert_allclose(whole[:, 1] + part, wanted, atol=0.5 / STEPS + 1e-9)
    # The pass along x is over the rows that the taps along y reach too: blocks of (128 + 2 reach) / 8 rows.
    deep = side(field.extra) // 8
    y = 2 * CELL - reach + 3 * deep + (deep - 1) / 2
    wanted = displacements.along(0, range(9), np.array([y]), np.array([x]))[:, 0, 0]
    part = (field.index_x[5, :, 3, 1] - furthest(field.extra)) / STEPS
    np.testing.assert_allclose(whole[:, 0] + part, wanted, atol=0.5 / STEPS + 1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(("y", "x"), [(3, 5), (-20, -9), (30, 44), (-150, 260), (200, -400)])
def test_windows_are_those_of_the_repaired_mirrored_frame(dtype: type, y: int, x: int) -> None:
    random = np.random.default_rng(5)
    frames = random.integers(0, 200, (3, 50, 61)).astype(dtype)
    defects = random.random((50, 61)) < 0.05
    windows = Windows(frames, None, defects)
    repaired = frames.copy()
    plan_repair(defects, 50, 61).apply(repaired)
    wide = np.pad(repaired, ((0, 0), (500, 500), (500, 500)), "symmetric")
    for index in range(3):
        out = np.empty((40, 48), dtype)
        windows.frame(index, y, x, out)
        np.testing.assert_array_equal(out, wide[index, 500 + y : 540 + y, 500 + x : 548 + x])


def test_windows_of_the_gain_follow_the_frames() -> None:
    gain = np.random.default_rng(6).uniform(0.5, 2, (50, 61)).astype(np.float32)
    windows = Windows(np.ones((1, 50, 61), np.uint8), gain, None)
    wide = np.pad(gain, 100, "symmetric")
    np.testing.assert_array_equal(windows.gain_window(-30, 40, 70, 50), wide[70:140, 140:190])
