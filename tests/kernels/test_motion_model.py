"""The motion model: splines, conventions, exact storage."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from warpcore.kernels.image._splines import spline_basis
from warpcore.kernels.motion._model import MotionModel, relion_basis


def _model(frames: int = 12, seed: int = 1) -> MotionModel:
    random = np.random.default_rng(seed)
    track = np.cumsum(random.normal(size=(frames, 2)), axis=0).astype(np.float32)
    return MotionModel(frames, track, random.normal(size=(4, 3, 5, 2)).astype(np.float32))


@pytest.mark.parametrize("nodes", [2, 3, 5, 9])
def test_spline_is_the_natural_cubic_spline_through_its_nodes(nodes: int) -> None:
    values = np.random.default_rng(nodes).normal(size=nodes)
    at = np.linspace(0, 1, 41)
    if nodes == 2:
        expected = np.interp(at, [0, 1], values)
    else:
        expected = CubicSpline(np.linspace(0, 1, nodes), values, bc_type="natural")(at)
    np.testing.assert_allclose(spline_basis(nodes, at) @ values, expected, atol=1e-12)


def test_spline_goes_on_straight_beyond_its_ends() -> None:
    values = np.array([0.0, 2.0, -1.0, 4.0])
    at = np.array([1.0, 1.1, 1.2, 1.3, 0.0, -0.1, -0.2, -0.3])
    found = spline_basis(4, at) @ values
    np.testing.assert_allclose(np.diff(found[:4], 2), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(found[4:], 2), 0, atol=1e-12)
    near = spline_basis(4, np.array([1 - 1e-6, 1 + 1e-6])) @ values
    assert abs((near[1] - values[3]) - (values[3] - near[0])) < 1e-9


def test_displacement_is_zero_in_frame_zero_and_track_is_its_value_at_the_centre() -> None:
    model = _model()
    moved = model.displacements_angstrom(np.array([0.1, 0.5]), np.array([0.9, 0.5]))
    assert moved.shape == (12, 2, 2)
    assert (moved[0] == 0).all()
    np.testing.assert_array_equal(moved[:, 1], model.global_track_angstrom())


def test_stored_and_read_back_it_is_exactly_equal() -> None:
    model = _model()
    again = MotionModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.frames == model.frames
    assert again.global_nodes.tobytes() == model.global_nodes.tobytes()
    assert again.local_nodes.tobytes() == model.local_nodes.tobytes()


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="motion model"):
        MotionModel.from_dict({"frames": 3})
    with pytest.raises(ValueError, match="finite"):
        MotionModel(2, np.full((2, 2), np.nan, np.float32), np.zeros((1, 1, 1, 2), np.float32))


def test_warp_grids_add_up_to_the_displacement() -> None:
    model = _model()
    grids = model.warp_grids()
    (x, y, t), values = grids["GridLocalMovementX"]
    assert (x, y, t) == (5, 3, 4)
    local = np.asarray(values).reshape(t, y, x)
    track = np.asarray(grids["GridMovementX"][1])
    time = np.linspace(0, 1, model.frames)
    at = 0.3, 0.8
    moved = spline_basis(12, time) @ track + np.einsum(
        "ft,y,x,tyx->f", spline_basis(t, time), spline_basis(y, at[1]), spline_basis(x, at[0]), local
    )
    np.testing.assert_allclose(moved, model.displacements_angstrom(*at)[:, 0], atol=1e-9)


def test_warp_grids_are_spread_over_all_frames_of_the_file() -> None:
    """Warp looks up frame f of a file of F at f / (F - 1): Movie.ExportMovie.cs, StepZ."""
    model, first, frames = _model(), 2, 15
    assert model.frames + first < frames
    grids = model.warp_grids(first, frames)
    (x, y, t), values = grids["GridLocalMovementY"]
    local = np.asarray(values).reshape(t, y, x)
    shape, track = grids["GridMovementY"]
    assert (shape, t) == ((1, 1, frames), frames)
    at = 0.3, 0.8
    moved = np.asarray(track) + np.einsum("y,x,tyx->t", spline_basis(y, at[1]), spline_basis(x, at[0]), local)
    wanted = model.displacements_angstrom(*at)[:, 1]
    # The nodes' start is taken off in float32: measured 5e-8 Å.
    np.testing.assert_allclose(moved[first : first + model.frames], wanted, atol=1e-6)
    np.testing.assert_allclose(moved[:first], wanted[0], atol=1e-6)
    np.testing.assert_allclose(moved[first + model.frames :], wanted[-1], atol=1e-6)
    assert model.warp_grids(0, model.frames) == model.warp_grids()


def test_relion_polynomial_holds_a_movement_that_is_one() -> None:
    frames, height, width, pixel = 10, 400, 600, 1.5
    # Two nodes in time (linear) and three in space can hold z * (1, x, y, xy) exactly.
    nodes = np.zeros((2, 2, 2, 2), np.float32)
    nodes[1] = np.array([[[1.0, 0.5], [2.0, -1.0]], [[-1.0, 0.25], [0.5, 3.0]]])
    model = MotionModel(frames, np.cumsum(np.ones((frames, 2), np.float32), axis=0), nodes)
    shifts, coefficients, worst = model.relion_polynomial(height, width, pixel)
    assert worst < 1e-8
    assert (shifts[0] == 0).all()
    x, y, z = 0.2, 0.9, 7
    basis = relion_basis(np.float64(z), np.float64(x - 0.5), np.float64(y - 0.5))
    predicted = shifts[z] + [basis @ coefficients[:18], basis @ coefficients[18:]]
    np.testing.assert_allclose(predicted, -model.displacements_angstrom(x, y)[z] / pixel, atol=1e-8)


def test_path_lengths() -> None:
    track = np.zeros((9, 2), np.float32)
    track[:, 0] = [0, 3, 5, 6, 6, 6, 6, 6, 7]
    model = MotionModel(9, track, np.zeros((1, 1, 1, 2), np.float32))
    assert model.mean_frame_movement_angstrom() == pytest.approx((3 + 2 + 1) / 3)
    total, early, late = model.accumulated(dose_per_frame=2.0)
    assert (total, early, late) == pytest.approx((7, 5, 2))
    assert MotionModel.zero(1).mean_frame_movement_angstrom() == 0
    assert MotionModel.zero(1).accumulated(1.0) == (0, 0, 0)


def test_the_largest_movement_within_a_frame_is_that_of_the_place_that_moves_most() -> None:
    """The track moves by 3 Å at most; the corner at the lower right by 4 Å beside it, in the last frame."""
    track = np.array([[0, 0], [3, 0], [4, 0]], np.float32)
    local = np.zeros((3, 2, 2, 2), np.float32)
    local[2, 1, 1] = (0, 4)
    alone = MotionModel(3, track, np.zeros((1, 1, 1, 2), np.float32))
    assert alone.largest_frame_movement_angstrom() == pytest.approx(3)
    assert MotionModel(3, track, local).largest_frame_movement_angstrom() == pytest.approx(np.hypot(1, 4))
    assert MotionModel.zero(1).largest_frame_movement_angstrom() == 0
