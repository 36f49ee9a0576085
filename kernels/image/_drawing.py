"""Lines, dots and text on a picture [h, w, 3] of floats 0 to 255, in place; equal calls give equal pixels."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.float64]
Colour = tuple[int, int, int]


def draw_line(picture: Picture, points_xy: npt.ArrayLike, colour: Colour, width_px: float = 2.0) -> None:
    """A line with smooth edges through points [n, 2] (x, y), px; what lies outside is cut off."""
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
    along = np.minimum(np.maximum((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0), 1)
    distance = np.hypot(x - along * dx, y - along * dy)
    np.maximum(here, np.minimum(np.maximum(width_px / 2 + 0.5 - distance, 0), 1), out=here)


def draw_dot(picture: Picture, x: float, y: float, radius_px: float, colour: Colour) -> None:
    """A filled disc with smooth edge."""
    draw_line(picture, [(x, y), (x, y)], colour, 2 * radius_px)


def draw_text(picture: Picture, x: int, y: int, text: str, colour: Colour, scale: int = 2) -> None:
    """Text in pixels of `scale`, its upper left corner at (x, y); what lies outside is cut off."""
    width, height = text_size(text, 1)
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=_font())
    cover = np.asarray(mask, np.float64).repeat(scale, 0).repeat(scale, 1) / 255
    here = picture[y : y + cover.shape[0], x : x + cover.shape[1]]
    _ink(here, cover[: here.shape[0], : here.shape[1]], colour)


def text_size(text: str, scale: int = 2) -> tuple[int, int]:
    """Width and height of a text in pixels of `scale`, px."""
    left, top, right, bottom = _font().getbbox(text)
    return scale * math.ceil(right - left), scale * math.ceil(bottom - top)


@lru_cache(maxsize=1)
def _font() -> ImageFont.ImageFont:
    """Pillow's own bitmap font (Latin-1, so with Å and ×): unlike a vector font it draws the same pixels everywhere."""
    return ImageFont.load_default_imagefont()


def _ink(picture: Picture, cover: npt.NDArray[np.float64], colour: Colour) -> None:
    picture += (np.array(colour, np.float64) - picture) * cover[..., None]
