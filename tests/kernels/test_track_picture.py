"""The picture of the motion: lines where the model says, at the scale that the legend says."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.image._drawing import draw_dot, draw_line, draw_text, text_size
from warpcore.kernels.motion._model import MotionModel
from warpcore.kernels.motion._picture import EARLY, GLOBAL, LOCAL, track_picture

FRAMES = 20
FIELD = (600.0, 800.0)
IMAGE = np.random.default_rng(1).normal(size=(300, 400)).astype(np.float32)


def model(track: tuple[float, float], stretch: float = 0.0, frames: int = FRAMES) -> MotionModel:
    """A straight track to (x, y) Å, and a field that moves away from the middle in x by `stretch` Å at its edges."""
    ramp = np.linspace(0, 1, frames)[:, None]
    local = np.zeros((2, 2, 2, 2))
    local[1, :, 0, 0], local[1, :, 1, 0] = -stretch, stretch
    return MotionModel(frames, (ramp * track).astype(np.float32), local.astype(np.float32))


def drawn(motion: MotionModel, dose: float = 1.0, image: np.ndarray = IMAGE) -> np.ndarray:
    return track_picture(image, motion, field_angstrom=FIELD, dose_per_frame=dose)


def places(picture: np.ndarray, colour: tuple[int, int, int], rows: slice = slice(0, 576)) -> np.ndarray:
    """Pixels [n, 2] (y, x) of exactly this colour, in the field or in the legend below."""
    found = np.argwhere((picture[rows] == colour).all(-1))
    found[:, 0] += rows.start or 0
    return found


def extent(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Height and width of what has this colour in the field."""
    found = places(picture, colour)
    return np.asarray(np.ptp(found, axis=0))


def bar(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Length of a scale bar in the legend without its round ends, px."""
    found = places(picture, colour, slice(576, None))
    return int(np.ptp(found[found[:, 1] < 768 / 4 + 20][:, 1])) + 1 - 3


def test_the_track_has_its_direction_and_the_length_that_the_bar_says() -> None:
    picture = drawn(model((12.0, -5.0)), dose=10.0)  # only frame 0 is early
    assert (picture.shape[1], picture.shape[0] > 576) == (768, True)
    height, width = extent(picture, GLOBAL)
    # The bar is 5 Å, the longest of 1, 2, 5 … that fits. The ring hides 6 px of the line's start, its last dot adds 3.
    assert width == pytest.approx(12 * bar(picture, GLOBAL) / 5, abs=8)  # of 259
    assert height / width == pytest.approx(5 / 12, abs=0.03)
    found = places(picture, GLOBAL)
    last = found[found[:, 1].argmax()]
    assert last[0] < found[:, 0].mean()  # minus y is up: row 0 is at the top


def test_the_early_part_is_red_up_to_4_electrons() -> None:
    picture = drawn(model((12.0, 0.0)), dose=1.0)
    late = 12 * bar(picture, GLOBAL) / 5 * (1 - 4 / (FRAMES - 1))
    assert extent(picture, GLOBAL)[1] == pytest.approx(late, abs=8)


def test_local_tracks_go_where_the_field_goes_beside_the_track() -> None:
    picture = drawn(model((30.0, 10.0), stretch=3.0), dose=10.0)
    blue = places(picture, LOCAL)
    left, right = blue[blue[:, 1] < 300], blue[blue[:, 1] > 480]
    # Away from the middle: each line lies on the outer side of its place (7 columns of places).
    spacing = 768 / 7
    offset_left = (left[:, 1] + spacing / 2) % spacing
    offset_right = (right[:, 1] - spacing / 2) % spacing
    assert np.median(offset_left) > spacing / 2
    assert np.median(offset_right) < spacing / 2
    # The outermost place, at 6/7 of the way to the edge, moves 3 · 6/7 Å, drawn half a spacing long.
    outermost = blue[blue[:, 1] > 768 - spacing / 2]
    assert np.ptp(outermost[:, 1]) == pytest.approx(
        3 * 6 / 7 * bar(picture, LOCAL) / 5, abs=8
    )  # of 55; the ring hides 4


def test_without_local_movement_there_are_only_the_places() -> None:
    picture = drawn(model((12.0, 0.0)), dose=10.0)
    assert len(places(picture, LOCAL)) == 0
    assert len(places(picture, EARLY)) > 5 * 7 * 4


def test_equal_motion_gives_equal_bytes() -> None:
    assert drawn(model((3.0, 4.0), 1.0)).tobytes() == drawn(model((3.0, 4.0), 1.0)).tobytes()


@pytest.mark.parametrize(
    ("shape", "motion"),
    [
        ((2, 2), model((0.0, 0.0))),
        ((7, 500), model((0.1, 0.0), frames=2)),
        ((500, 7), model((0.0, 0.0), 9.0)),
        ((300, 200), model((200.0, 1.0), 9.0, 2000)),
    ],
)
def test_any_shape_and_any_length_is_drawn(shape: tuple[int, int], motion: MotionModel) -> None:
    picture = drawn(motion, image=np.zeros(shape, np.float32))
    assert picture.dtype == np.uint8
    assert max(picture.shape[1], picture.shape[0]) >= 768


def test_lines_dots_and_words_stay_inside_and_where_they_belong() -> None:
    picture = np.zeros((40, 60, 3))
    draw_line(picture, [(-20, 10), (100, 10)], (255, 0, 0), 2.0)
    draw_line(picture, [(100, 100), (200, 200)], (255, 255, 255))
    assert (picture[10, :, 0] == 255).all()
    assert picture[..., 0].sum() == pytest.approx(60 * 255 * 2, rel=0.01)  # 2 px wide
    draw_dot(picture, 30, 30, 4, (0, 255, 0))
    assert picture[..., 1].sum() == pytest.approx(np.pi * 16 * 255, rel=0.1)
    words = np.zeros((40, 60, 3))
    draw_text(words, 3, 5, "10 Å", (0, 0, 255))
    inked = np.argwhere(words[..., 2])
    width, height = text_size("10 Å")
    assert inked.min(0).tolist() >= [5, 3]
    assert (inked.max(0) < [5 + height, 3 + width]).all()
    draw_text(words, 50, 35, "local", (0, 0, 255))  # cut off, no error
