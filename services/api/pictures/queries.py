"""What requests ask of a movie's pictures, by their types; windows are checked against the movie."""

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

MOST_PIXELS = 25_000_000
"""Of one picture: the average of a detector of 5760 × 4092 px, pixel by pixel."""
LARGEST_GENERATION = 2**32 - 1
_LARGEST = 1e12

Length = Annotated[int, Meta(ge=1, le=100_000)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Value = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]


class SpectrumHalf(Word):
    """What of a CTF diagnostic is shown."""

    BOTH = "both", "Data at the left, the fitted model at the right."
    DATA = "data", "The data alone."
    FIT = "fit", "The fitted model alone."


class PartQuery(Query, frozen=True):
    """Of which results."""

    generation: Annotated[
        Annotated[int, Meta(ge=0, le=LARGEST_GENERATION)] | None,
        Meta(description="Number of the results; with it the answer may be kept for ever, a former one is gone (404)."),
    ] = None


class ThumbnailQuery(PartQuery, frozen=True):
    """How large a thumbnail is."""

    size: Annotated[int, Meta(ge=16, le=512, description="Its longer side, px; it is never enlarged.")] = 256


class SpectrumQuery(PartQuery, frozen=True):
    """What of a spectrum is shown."""

    half: Annotated[SpectrumHalf, Meta(description="Data and fit beside each other, or one alone.")] = SpectrumHalf.BOTH


class AverageQuery(PartQuery, frozen=True):
    """What of an average is shown, and how."""

    x: Annotated[int, Meta(ge=0, description="Left edge of the part that is shown, px of the average.")] = 0
    y: Annotated[int, Meta(ge=0, description="Its upper edge.")] = 0
    width: Annotated[Length | None, Meta(description="Its width; all there is where it is not given.")] = None
    height: Annotated[Length | None, Meta(description="Its height.")] = None
    scale: Annotated[
        Annotated[float, Meta(ge=1e-4, le=1)] | None, Meta(description="Px of the picture by px of the average.")
    ] = None
    size: Annotated[Length | None, Meta(description="The picture's longer side, px, in place of `scale`.")] = None
    low: Annotated[Percent, Meta(description="Percentile of the whole average that is black.")] = 1.0
    high: Annotated[Percent, Meta(description="Percentile that is white.")] = 99.0
    low_value: Annotated[Value | None, Meta(description="Value that is black, in place of `low`.")] = None
    high_value: Annotated[Value | None, Meta(description="Value that is white, in place of `high`.")] = None
    lowpass: Annotated[
        float, Meta(ge=0, le=10_000, description="Finest detail shown, Å: there the amplitude is halved. 0: all.")
    ] = 0.0


def average_view(movie: Movie, query: AverageQuery) -> AverageView:
    """What is asked for. Raises Problem 400 for what cannot be, 404 where there is no average yet."""
    measured = movie.results.get(INPUT)
    if not measured:
        raise Problem(falcon.HTTP_404, f"{movie.name} has no average yet: it is {movie.status}")
    if query.low >= query.high:
        raise bad_parameter("low", query.low, f"it must be smaller than high, which is {query.high:g}")
    return AverageView(
        _window(query, int(measured["width"]), int(measured["height"])),
        Contrast(query.low, query.high, query.low_value, query.high_value),
        query.lowpass / float(measured["pixel_size_angstrom"]),
    )


def _window(query: AverageQuery, full_width: int, full_height: int) -> Window:
    for name, given, highest in (
        ("x", query.x, full_width - 1),
        ("y", query.y, full_height - 1),
        ("width", query.width or 1, full_width - query.x),
        ("height", query.height or 1, full_height - query.y),
    ):
        if given > highest:
            raise bad_parameter(name, given, f"give at most {highest}: the average has {full_width} × {full_height} px")
    width, height = query.width or full_width - query.x, query.height or full_height - query.y
    scale = _scale(query, max(width, height))
    shown_width, shown_height = max(1, round(width * scale)), max(1, round(height * scale))
    if shown_width * shown_height > MOST_PIXELS:
        raise bad_parameter("scale", scale, f"the picture would have more than {MOST_PIXELS} pixels; ask for a part")
    return Window(query.x, query.y, width, height, shown_width, shown_height)


def _scale(query: AverageQuery, longest_px: int) -> float:
    if query.size is None:
        return 1.0 if query.scale is None else query.scale
    if query.scale is not None:
        raise bad_parameter("size", query.size, "give either size or scale")
    return min(1.0, query.size / longest_px)
