"""The map of squares and holes as a PNG: a dot for each movie, coloured by any column. Pure: arrays in, bytes out."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
Numbers = npt.NDArray[np.float64]

INK, FAINT, OTHER, PAPER = (34, 34, 34), (176, 176, 176), (120, 120, 120), (255, 255, 255)
RAMP: tuple[Colour, ...] = ((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37))
"""From low to high, even in lightness, so that it reads without colour too."""
PALETTE: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (86, 180, 233),
    (150, 120, 60),
    (20, 20, 20),
)
"""Of words, told apart by all eyes (Okabe and Ito 2008)."""

_MARGIN, _LEGEND = 36, 150
_BAR = (14, 200)
_TEXT = 13
_LETTERS = str.maketrans({"Å": "A", "µ": "u", "°": "deg", "⁻": "-", "²": "2", "π": "pi"})
"""Pillow's own font has ASCII alone."""


@dataclass(frozen=True)
class Coloured:
    """What gives dots their colours: numbers (NaN: none), shown by `text`, or places in `words` (-1: none)."""

    title: str
    numbers: Numbers | None = None
    text: Callable[[float], str] = str
    codes: npt.NDArray[np.int32] | None = None
    words: Sequence[str] = ()

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The numbers that have the end colours: nine of ten lie between them."""
        known = np.zeros(0) if self.numbers is None else self.numbers[np.isfinite(self.numbers)]
        if not len(known):
            return 0.0, 1.0
        low, high = np.percentile(known, [5, 95])
        return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a position, µm."""

    text: str
    x_um: float
    y_um: float


class _Frame:
    """From µm, with y upwards, to pixels of a picture of `width` x `height`."""

    def __init__(self, positions: Numbers, width: int, height: int) -> None:
        low, high = positions.min(axis=0), positions.max(axis=0)
        span = np.maximum(high - low, 1.0)
        room = np.array([max(1, width - 2 * _MARGIN - _LEGEND), max(1, height - 2 * _MARGIN)])
        self.px_per_um = float(np.min(room / span))
        middle = np.array([_MARGIN + room[0] / 2, _MARGIN + room[1] / 2])
        self._offset = middle - (low + high) / 2 * self.px_per_um * np.array([1, -1])

    def places(self, positions: Numbers) -> Numbers:
        """Pixels [N, 2] as (x, y) of positions [N, 2], µm."""
        places: Numbers = positions * self.px_per_um * np.array([1, -1]) + self._offset
        return places


def map_png(
    positions: Numbers, coloured: Coloured, labels: Sequence[Label], spacing_um: float, width: int, height: int
) -> bytes:
    """A map of `width` x `height` px. `positions` [N, 2] are µm, at least one; `spacing_um` is between neighbours."""
    picture = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(picture)
    frame = _Frame(positions, width, height)
    radius = min(9.0, max(2.0, 0.4 * spacing_um * frame.px_per_um))
    _draw_dots(draw, frame.places(positions), coloured, radius)
    font = ImageFont.load_default(_TEXT)
    for label in labels:
        (x, y), *_ = frame.places(np.array([[label.x_um, label.y_um]]))
        draw.text((x, y - radius - 4), plain(label.text), INK, font, anchor="ms", stroke_width=2, stroke_fill=PAPER)
    _draw_scale(draw, font, frame, height)
    _draw_legend(draw, font, coloured, width)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def plain(text: str) -> str:
    """A text in the letters that the font has."""
    return text.translate(_LETTERS).encode("ascii", "replace").decode()


def _draw_dots(draw: ImageDraw.ImageDraw, places: Numbers, coloured: Coloured, radius: float) -> None:
    """A dot for each movie, in rings those without a value. Of those on one pixel the last one is seen, so it alone."""
    known = np.isfinite(coloured.numbers) if coloured.numbers is not None else _codes(coloured) >= 0
    order = np.argsort(known, kind="stable")  # those without a value lie below the others
    _, last = np.unique(np.rint(places[order][::-1]), axis=0, return_index=True)
    for row in order[np.sort(len(order) - 1 - last)]:
        x, y = places[row]
        fill = _colour(coloured, int(row)) if known[row] else None
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill, None if known[row] else FAINT)


def _codes(coloured: Coloured) -> npt.NDArray[np.int32]:
    return np.zeros(0, np.int32) if coloured.codes is None else coloured.codes


def _colour(coloured: Coloured, row: int) -> Colour:
    if coloured.numbers is not None:
        low, high = coloured.ends
        return ramp_colour((float(coloured.numbers[row]) - low) / (high - low))
    code = int(_codes(coloured)[row])
    return PALETTE[code] if code < len(PALETTE) else OTHER


def ramp_colour(share: float) -> Colour:
    """The colour at a share of the ramp, beyond its ends that of the end."""
    place = min(1.0, max(0.0, share)) * (len(RAMP) - 1)
    below = min(int(place), len(RAMP) - 2)
    part = place - below
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(RAMP[below], RAMP[below + 1], strict=True))
    return red, green, blue


def _draw_scale(draw: ImageDraw.ImageDraw, font: Font, frame: _Frame, height: int) -> None:
    """A bar of a round length, about a fifth of the picture's height."""
    length = 10 ** math.floor(math.log10(max(1e-6, height / 5 / frame.px_per_um)))
    length *= next(one for one in (5, 2, 1) if one * length * frame.px_per_um <= height / 5 or one == 1)
    y = height - 14
    draw.line((_MARGIN, y, _MARGIN + length * frame.px_per_um, y), INK, 2)
    draw.text((_MARGIN, y - 5), plain(f"{length:g} µm"), INK, font, anchor="ls")


def _draw_legend(draw: ImageDraw.ImageDraw, font: Font, coloured: Coloured, width: int) -> None:
    x, y = width - _LEGEND, _MARGIN
    draw.text((x, y - 10), plain(coloured.title), INK, font, anchor="ls")
    if coloured.numbers is None:
        shown = list(zip(coloured.words, PALETTE, strict=False))
        others = [("others", OTHER)] if len(coloured.words) > len(shown) else []
        for place, (word, colour) in enumerate([*shown, *others]):
            draw.ellipse((x, y + 20 * place, x + 10, y + 20 * place + 10), fill=colour)
            draw.text((x + 16, y + 20 * place + 5), plain(word), INK, font, anchor="lm")
        return
    wide, high = _BAR
    for row in range(high):
        draw.line((x, y + row, x + wide, y + row), ramp_colour(1 - row / (high - 1)))
    low, top = coloured.ends
    for share in (0.0, 0.5, 1.0):
        text = coloured.text(low + share * (top - low))
        draw.text((x + wide + 6, y + (1 - share) * (high - 1)), text, INK, font, anchor="lm")
