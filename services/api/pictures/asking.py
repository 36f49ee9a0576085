"""What a request asks of an average: window, size, contrast and smoothing, checked against the movie."""

from __future__ import annotations

import math

import falcon
import falcon.asgi

from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import Word
from warpcore.services.api.errors import Problem, bad_parameter
from warpcore.services.api.parameters import integer, only_parameters, text
from warpcore.services.api.pictures.images import AverageView, Contrast, Window
from warpcore.services.steps.step import INPUT

MOST_PIXELS = 25_000_000
"""Of one picture: the average of a detector of 5760 × 4092 px, pixel by pixel."""
_LARGEST = 1e12


class SpectrumHalf(Word):
    """What of a CTF diagnostic is shown."""

    BOTH = "both", "Data at the left, the fitted model at the right."
    DATA = "data", "The data alone."
    FIT = "fit", "The fitted model alone."


def average_view(movie: Movie, req: falcon.asgi.Request) -> AverageView:
    """What is asked for. Raises Problem 400 for what cannot be, 404 where there is no average yet."""
    window = ("x", "y", "width", "height", "scale", "size")
    only_parameters(req, "generation", *window, "low", "high", "lowValue", "highValue", "lowpass")
    measured = movie.results.get(INPUT)
    if not measured:
        raise Problem(falcon.HTTP_404, f"{movie.name} has no average yet: it is {movie.status}")
    lowpass = number(req, "lowpass", 0.0, 0.0, 10_000.0)
    return AverageView(
        _window(req, int(measured["width"]), int(measured["height"])),
        _contrast(req),
        lowpass / float(measured["pixel_size_angstrom"]),
    )


def number(req: falcon.asgi.Request, name: str, default: float, lowest: float, highest: float) -> float:
    """A number from `lowest` to `highest`. Raises Problem 400."""
    given = text(req, name, "")
    try:
        value = float(given) if given else default
    except ValueError:
        value = math.nan
    if not lowest <= value <= highest:
        raise bad_parameter(name, given, f"give a number from {lowest:g} to {highest:g}")
    return value


def _window(req: falcon.asgi.Request, full_width: int, full_height: int) -> Window:
    x, y = integer(req, "x", 0, 0, full_width - 1), integer(req, "y", 0, 0, full_height - 1)
    width = integer(req, "width", full_width - x, 1, full_width - x)
    height = integer(req, "height", full_height - y, 1, full_height - y)
    if text(req, "size", ""):
        if text(req, "scale", ""):
            raise bad_parameter("size", text(req, "size", ""), "give either size or scale")
        scale = min(1.0, integer(req, "size", 0, 1, 100_000) / max(width, height))
    else:
        scale = number(req, "scale", 1.0, 1e-4, 1.0)
    shown_width, shown_height = max(1, round(width * scale)), max(1, round(height * scale))
    if shown_width * shown_height > MOST_PIXELS:
        raise bad_parameter("scale", scale, f"the picture would have more than {MOST_PIXELS} pixels; ask for a part")
    return Window(x, y, width, height, shown_width, shown_height)


def _contrast(req: falcon.asgi.Request) -> Contrast:
    low, high = number(req, "low", 1.0, 0.0, 100.0), number(req, "high", 99.0, 0.0, 100.0)
    if low >= high:
        raise bad_parameter("low", low, f"it must be smaller than high, which is {high:g}")
    return Contrast(low, high, _value(req, "lowValue"), _value(req, "highValue"))


def _value(req: falcon.asgi.Request, name: str) -> float | None:
    return number(req, name, 0.0, -_LARGEST, _LARGEST) if text(req, name, "") else None
