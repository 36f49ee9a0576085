"""A picture of a movie's motion, for people: the track of the field and each place's own movement, much enlarged."""

from __future__ import annotations

import math

import jax
import numpy as np
import numpy.typing as npt
import scipy.ndimage

from warpcore.kernels.image import Colour, Picture, draw_dot, draw_line, draw_text, text_size
from warpcore.kernels.motion._model import EARLY_DOSE, MotionModel

GLOBAL: Colour = (255, 225, 60)
LOCAL: Colour = (80, 210, 255)
EARLY: Colour = (255, 90, 70)
_SHADE: Colour = (0, 0, 0)

_PLACES_SHORT, _MOST_PLACES = 5, 12
_MOST_POINTS = 100
_LEAST_SPAN_ANGSTROM = 0.2  # a smaller span is not enlarged to fill the picture
_MARGIN_PX = 14
_COARSER, _GREY_STEP = 4, 8  # coarser pixels and greys of the background make a third of the file's size


def track_picture(
    image: npt.NDArray[np.floating] | jax.Array,
    model: MotionModel,
    *,
    field_angstrom: tuple[float, float],
    dose_per_frame: float,
    longest_px: int = 768,
) -> npt.NDArray[np.uint8]:
    """Picture uint8 [h', w', 3] of a micrograph [h, w] with its motion on it and a legend below, row 0 at the top.

    `field_angstrom` is (height, width).
    Yellow, from the middle: the track at the centre of the field, a dot a frame. Blue: at about 5 x 5 places, each
    place's displacement minus that track. Red: the part of each up to 4 e⁻/Å²; a ring marks frame 0. Each of the two
    has its own enlargement and scale bar, with the factor over the micrograph's own scale. Displacement is where the
    specimen of frame 0 is seen later.
    """
    picture = _background(image, longest_px)
    height, width = picture.shape[:2]
    scale = width / field_angstrom[1]
    early = 1 + int(np.count_nonzero(dose_per_frame * np.arange(1, model.frames) <= EARLY_DOSE))
    shown, early_shown = _shown(model.frames, early)
    columns, rows = (min(_MOST_PLACES, round(_PLACES_SHORT * n / min(height, width))) for n in (width, height))
    x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    track = model.global_track_angstrom()[shown]
    local = model.displacements_angstrom(x, y)[shown] - track[:, None, None]
    spacing = min(width / columns, height / rows)
    local_px = _enlargement(local.reshape(len(shown), -1, 2), 0.5 * spacing)  # none leaves the field
    for i, j in np.ndindex(rows, columns):
        start = np.array([x[i, j] * width, y[i, j] * height])
        _draw_track(picture, start + local[:, i, j] * local_px, early_shown, LOCAL, 2.0)
    track_px = _enlargement(track[:, None], 0.45 * min(height, width))
    middle = np.array([width, height]) / 2 - (track.min(0) + track.max(0)) / 2 * track_px
    _draw_track(picture, middle + track * track_px, early_shown, GLOBAL, 3.0, dots=len(shown) <= 100)
    return np.asarray(np.rint(np.concatenate([picture, _legend(width, track_px, local_px, scale)])), np.uint8)


def _background(image: npt.NDArray[np.floating] | jax.Array, longest_px: int) -> Picture:
    """The micrograph without its noise, dark enough for lines to stand out."""
    longest = max(image.shape)
    block = max(1, longest // (longest_px // _COARSER))
    height, width = (n // block * block for n in image.shape)
    if min(height, width) == 0:
        block, (height, width) = 1, image.shape
    coarse = np.asarray(image[:height, :width], np.float32).reshape(height // block, block, width // block, block)
    small = coarse.mean(axis=(1, 3), dtype=np.float64)
    low, high = np.percentile(small, [1.0, 99.0])
    grey = 20 + 110 * np.clip((small - low) / (high - low if high > low else 1), 0, 1)
    size = [max(1, round(n * longest_px / longest)) for n in image.shape]
    zoom = [wanted / given for wanted, given in zip(size, grey.shape, strict=True)]
    smooth = scipy.ndimage.zoom(grey, zoom, order=1, grid_mode=True, mode="nearest")
    steps = np.rint(smooth / _GREY_STEP) * _GREY_STEP
    return np.repeat(steps[..., None], 3, axis=2)


def _shown(frames: int, early: int) -> tuple[npt.NDArray[np.intp], int]:
    """The frames that are drawn, at most about 100 of them, and how many of these are early."""
    step = -(-frames // _MOST_POINTS)
    shown = np.unique(np.append(np.arange(0, frames, step), frames - 1))
    return shown, int(np.count_nonzero(shown < early))


def _enlargement(tracks: npt.NDArray[np.float64], room_px: float) -> float:
    """Pixels an Å such that the widest of tracks [F, n, 2] has this room."""
    span = float((tracks.max(0) - tracks.min(0)).max())
    return room_px / max(span, _LEAST_SPAN_ANGSTROM)


def _draw_track(
    picture: Picture, points: npt.NDArray[np.float64], early: int, colour: Colour, width: float, *, dots: bool = False
) -> None:
    draw_line(picture, points, _SHADE, width + 2)
    draw_line(picture, points, colour, width)
    draw_line(picture, points[:early], EARLY, width)
    for number, (x, y) in enumerate(points if dots else ()):
        draw_dot(picture, x, y, width, EARLY if number < early else colour)
    x, y = points[0]
    draw_dot(picture, x, y, 2 * width, EARLY)
    draw_dot(picture, x, y, width, _SHADE)


def _legend(width: int, track_px: float, local_px: float, scale: float) -> Picture:
    """Scale bars [h, width, 3]."""
    line = text_size("0")[1] + 6
    legend = np.zeros((3 * line, width, 3))
    room = width / 4
    early = ("early", EARLY, room / 4)
    for row, (name, colour, pixels) in enumerate((("global", GLOBAL, track_px), ("local", LOCAL, local_px), early)):
        text, bar = name, pixels
        if name != "early":
            length = _round_length(room / pixels)
            text, bar = f"{length:g} Å {name} ×{pixels / scale:.0f}", length * pixels
        y = row * line + line // 2
        draw_line(legend, [(_MARGIN_PX, y), (_MARGIN_PX + bar, y)], colour, 3.0)
        draw_text(legend, 2 * _MARGIN_PX + int(room), y - text_size(text)[1] // 2, text, colour)
    return legend


def _round_length(longest: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))
