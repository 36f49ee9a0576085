"""Lines, dots and words on a picture [h, w, 3] of floats 0 to 255, in place; equal calls give equal pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

_GLYPH_ROWS = 8
_GLYPHS = {
    "0": (14, 17, 19, 21, 25, 17, 14, 0),
    "1": (4, 12, 4, 4, 4, 4, 14, 0),
    "2": (14, 17, 1, 2, 4, 8, 31, 0),
    "3": (31, 2, 4, 2, 1, 17, 14, 0),
    "4": (2, 6, 10, 18, 31, 2, 2, 0),
    "5": (31, 16, 30, 1, 1, 17, 14, 0),
    "6": (6, 8, 16, 30, 17, 17, 14, 0),
    "7": (31, 1, 2, 4, 8, 8, 8, 0),
    "8": (14, 17, 17, 14, 17, 17, 14, 0),
    "9": (14, 17, 17, 15, 1, 2, 12, 0),
    ".": (0, 0, 0, 0, 0, 12, 12, 0),
    "×": (0, 0, 17, 10, 4, 10, 17, 0),
    "Å": (4, 0, 4, 10, 17, 31, 17, 0),
    "a": (0, 0, 14, 1, 15, 17, 15, 0),
    "b": (16, 16, 22, 25, 17, 17, 30, 0),
    "c": (0, 0, 14, 16, 16, 17, 14, 0),
    "e": (0, 0, 14, 17, 31, 16, 14, 0),
    "g": (0, 0, 15, 17, 17, 15, 1, 14),
    "l": (12, 4, 4, 4, 4, 4, 14, 0),
    "o": (0, 0, 14, 17, 17, 17, 14, 0),
    "r": (0, 0, 22, 25, 16, 16, 16, 0),
    "y": (0, 0, 17, 17, 17, 15, 1, 14),
    " ": (0,) * _GLYPH_ROWS,
}
"""Eight rows of five pixels, the highest bit at the left."""


def draw_line(picture: Picture, points_xy: npt.ArrayLike, colour: Colour, width_px: float = 2.0) -> None:
    """A line with smooth edges through points [n, 2] (x, y) px; what lies outside is cut off."""
    points = np.asarray(points_xy, np.float64)
    reach = width_px / 2 + 1
    left, top = (max(0, int(low - reach)) for low in points.min(0))
    right, bottom = (min(n, int(high + reach) + 2) for n, high in zip(picture.shape[1::-1], points.max(0), strict=True))
    if left >= right or top >= bottom:
        return
    cover = np.zeros((bottom - top, right - left))
    for begin, end in pairwise(points - (left, top)):
        _cover_segment(cover, begin, end, width_px)
    _ink(picture[top:bottom, left:right], cover, colour)


def _cover_segment(
    cover: npt.NDArray[np.float64], begin: npt.NDArray[np.float64], end: npt.NDArray[np.float64], width_px: float
) -> None:
    reach = width_px / 2 + 1
    (x0, y0), (dx, dy) = begin, end - begin
    left, top = (max(0, int(low - reach)) for low in np.minimum(begin, end))
    right, bottom = (int(high + reach) + 2 for high in np.maximum(begin, end))
    here = cover[top:bottom, left:right]
    if not here.size:
        return
    x = np.arange(left, left + here.shape[1])[None] - x0
    y = np.arange(top, top + here.shape[0])[:, None] - y0
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy)
    np.maximum(here, np.clip(width_px / 2 + 0.5 - distance, 0, 1), out=here)


def draw_dot(picture: Picture, x: float, y: float, radius_px: float, colour: Colour) -> None:
    """A filled disc with smooth edge."""
    draw_line(picture, [(x, y), (x, y)], colour, 2 * radius_px)


def draw_text(picture: Picture, x: int, y: int, text: str, colour: Colour, scale: int = 2) -> None:
    """Words in pixels of `scale`, their upper left corner at (x, y). Raises KeyError for a letter that was never needed."""
    rows = np.array([_GLYPHS[letter] for letter in text], np.uint8)
    bits = (rows[:, :, None] >> np.arange(5, -1, -1)) & 1  # a sixth, empty column between letters
    bits = np.concatenate([bits[:, :, 1:], bits[:, :, :1]], axis=2)
    mask = bits.transpose(1, 0, 2).reshape(_GLYPH_ROWS, -1).repeat(scale, 0).repeat(scale, 1)
    here = picture[y : y + mask.shape[0], x : x + mask.shape[1]]
    _ink(here, mask[: here.shape[0], : here.shape[1]].astype(np.float64), colour)


def text_size(text: str, scale: int = 2) -> tuple[int, int]:
    """Width and height, px."""
    return 6 * scale * len(text) - scale, _GLYPH_ROWS * scale


def _ink(picture: Picture, cover: npt.NDArray[np.float64], colour: Colour) -> None:
    picture += (np.array(colour, np.float64) - picture) * cover[..., None]
