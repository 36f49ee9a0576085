"""Query parameters of pictures and data, and the window of an average that they ask for."""

from __future__ import annotations

from typing import Annotated

import falcon
from msgspec import Meta

from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import Word
from warpcore.services.api.errors import Problem, bad_parameter
from warpcore.services.api.parameters import Query
from warpcore.services.api.pictures.images import AverageView, Contrast, Window
from warpcore.services.steps.step import INPUT

LARGEST_GENERATION = 2**32 - 1
MOST_PIXELS = 25_000_000
"""Of one picture: the average of a detector of 5760 × 4092 px, pixel by pixel."""
THUMBNAIL_PX, LARGEST_THUMBNAIL_PX = 256, 512
_LARGEST_SIDE = 100_000
_LARGEST_VALUE = 1e12

Pixel = Annotated[int, Meta(ge=0, le=_LARGEST_SIDE)]
Side = Annotated[int, Meta(ge=1, le=_LARGEST_SIDE)]
Percentile = Annotated[float, Meta(ge=0, le=100)]
Value = Annotated[float, Meta(ge=-_LARGEST_VALUE, le=_LARGEST_VALUE)]


class SpectrumHalf(Word):
    """What of a CTF diagnostic is shown."""

    BOTH = "both", "Data at the left, the fitted model at the right."
    DATA = "data", "The data alone."
    FIT = "fit", "The fitted model alone."


class GenerationQuery(Query, frozen=True):
    """Of which results."""

    generation: Annotated[
        Annotated[int, Meta(ge=0, le=LARGEST_GENERATION)] | None,
        Meta(description="The number of the results that are meant: the answer may then be kept for ever."),
    ] = None


class ThumbnailQuery(GenerationQuery, frozen=True):
    """How large."""

    size: Annotated[int, Meta(ge=16, le=LARGEST_THUMBNAIL_PX, description="Longer side, px.")] = THUMBNAIL_PX


class SpectrumQuery(GenerationQuery, frozen=True):
    """Which half."""

    half: Annotated[SpectrumHalf, Meta(description="Data, the fitted model, or both beside each other.")] = (
        SpectrumHalf.BOTH
    )


class AverageQuery(GenerationQuery, frozen=True):
    """Which part of an average, at what size and contrast."""

    x: Annotated[Pixel, Meta(description="First column of the part, px of the average.")] = 0
    y: Annotated[Pixel, Meta(description="First row of the part, px of the average.")] = 0
    width: Annotated[Side | None, Meta(description="Columns of the part; to the right edge without it.")] = None
    height: Annotated[Side | None, Meta(description="Rows of the part; to the lower edge without it.")] = None
    scale: Annotated[
        Annotated[float, Meta(ge=1e-4, le=1)] | None,
        Meta(description="px of the picture by px of the average; 1 without `scale` and `size`."),
    ] = None
    size: Annotated[Side | None, Meta(description="Longer side of the picture, px; in place of `scale`.")] = None
    low: Annotated[Percentile, Meta(description="Percentile of the whole average that is black.")] = 1.0
    high: Annotated[Percentile, Meta(description="Percentile of the whole average that is white.")] = 99.0
    low_value: Annotated[Value | None, Meta(description="Value that is black, in place of `low`.")] = None
    high_value: Annotated[Value | None, Meta(description="Value that is white, in place of `high`.")] = None
    lowpass: Annotated[
        float, Meta(ge=0, le=10_000, description="Finest detail shown, Å: there the amplitude is halved; 0: all.")
    ] = 0.0


def average_view(movie: Movie, query: AverageQuery) -> AverageView:
    """What is asked for. Raises Problem 400 for what this average does not have, 404 where there is none yet."""
    measured = movie.results.get(INPUT)
    if not measured:
        raise Problem(falcon.HTTP_404, f"{movie.name} has no average: it is {movie.status}")
    if query.low >= query.high:
        raise bad_parameter("low", query.low, f"it must be smaller than high, which is {query.high:g}")
    return AverageView(
        _window(query, int(measured["width"]), int(measured["height"])),
        Contrast(query.low, query.high, query.low_value, query.high_value),
        query.lowpass / float(measured["pixel_size_angstrom"]),
    )


def _window(query: AverageQuery, full_width: int, full_height: int) -> Window:
    width, height = query.width or full_width - query.x, query.height or full_height - query.y
    sides = (("x", query.x, width, full_width), ("y", query.y, height, full_height))
    for name, first, length, full in sides:
        if length < 1 or first + length > full:
            raise bad_parameter(name, first, f"the part must lie on the average of {full_width} × {full_height} px")
    scale = query.scale or 1.0
    if query.size is not None:
        if query.scale is not None:
            raise bad_parameter("size", query.size, "give either size or scale")
        scale = min(1.0, query.size / max(width, height))
    shown_width, shown_height = max(1, round(width * scale)), max(1, round(height * scale))
    if shown_width * shown_height > MOST_PIXELS:
        raise bad_parameter("scale", scale, f"the picture would have more than {MOST_PIXELS} pixels; ask for a part")
    return Window(query.x, query.y, width, height, shown_width, shown_height)
