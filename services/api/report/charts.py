"""Charts as SVG, drawn for print: a value over time, and how often each value comes.

A chart is bounded in size: movies that would lie on one another are one point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from warpcore.services.api.markup import tag
from warpcore.services.api.report.axes import Axis, Values, number_ticks, time_range, time_ticks, value_range

HEIGHT, OVER_TIME_WIDTH, HISTOGRAM_WIDTH = 150, 520, 240
BINS = 40
"""The most bars of a histogram."""
FEW = 500
"""Of so many movies or fewer the points are drawn larger."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 20
_CELL = 2
"""Size of a point, and the grid on which points lie, in the picture's units."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of movies, one finite value each: when their files were written (s since 1970), and which kept.

    `digits` are the values' decimal places, `bounds` the filter's limits in force.
    """

    heading: str
    digits: int
    values: Values
    times: Values
    kept: NDArray[np.bool_]
    bounds: Sequence[float] = ()


def over_time(measured: Measured) -> Element:
    """The value of each movie by the time of its file."""
    x = Axis(*time_range(measured.times), _LEFT, OVER_TIME_WIDTH - _RIGHT)
    y = Axis(*value_range(measured.values), HEIGHT - _BOTTOM, _TOP)
    parts = [*_frame(x, y), *_down(x, time_ticks(x)), *_up(y)]
    parts += [_line(x.start, x.end, y.place(one), y.place(one)) for one in measured.bounds if y.low <= one <= y.high]
    size = "few" if len(measured.values) <= FEW else "many"
    for kind, which in (("kept", measured.kept), ("out", ~measured.kept)):
        places = np.stack([x.places(measured.times[which]), y.places(measured.values[which])], axis=1)
        cells = np.unique(np.rint(places / _CELL).astype(int) * _CELL, axis=0)
        # A line of no length with round ends is a dot, which takes a quarter of the bytes of a circle.
        path = "".join(f"M{left} {top}h0" for left, top in cells)
        parts.append(tag("path", d=path, **{"class": f"dots {kind} {size}"}))
    return _picture(OVER_TIME_WIDTH, f"{measured.heading} over time", parts)


def histogram(measured: Measured) -> Element:
    """How many movies have which value: those that are kept, and on top of them those that are not."""
    x = Axis(*value_range(measured.values), _LEFT, HISTOGRAM_WIDTH - _RIGHT)
    inside, edges = np.clip(measured.values, x.low, x.high), _edges(x, measured.digits)
    kept, _ = np.histogram(inside[measured.kept], edges)
    every, _ = np.histogram(inside, edges)
    y = Axis(0.0, float(max(1, every.max())), HEIGHT - _BOTTOM, _TOP)
    parts = [*_frame(x, y), *_down(x, number_ticks(x, 4)), *_up(y, whole=True)]
    for kind, low, high in (("kept", np.zeros_like(kept), kept), ("out", kept, every)):
        parts.append(tag("path", d=_bars(x, y, edges, low, high), **{"class": f"bars {kind}"}))
    parts += [_line(x.place(one), x.place(one), y.start, y.end) for one in measured.bounds if x.low <= one <= x.high]
    return _picture(HISTOGRAM_WIDTH, f"{measured.heading}: number of movies by value", parts)


def _edges(x: Axis, digits: int) -> Values:
    """Where bars begin and end. Each holds equally many possible values: else bars of counts would be a comb."""
    unit = 10.0**-digits
    step = max(1, math.ceil((x.high - x.low) / unit / BINS)) * unit
    first = math.floor(x.low / step) * step - unit / 2
    return np.arange(math.ceil((x.high - first) / step) + 1, dtype=np.float64) * step + first


def _bars(x: Axis, y: Axis, edges: Values, low: NDArray[np.int_], high: NDArray[np.int_]) -> str:
    places = x.places(edges)
    bars = zip(places[:-1], places[1:], low, high, strict=True)
    return "".join(
        f"M{left:.1f} {y.place(below):.1f}V{y.place(above):.1f}H{right:.1f}V{y.place(below):.1f}z"
        for left, right, below, above in bars
        if above > below
    )


def _frame(x: Axis, y: Axis) -> list[Element]:
    return [tag("path", d=f"M{x.start} {y.end}V{y.start}H{x.end}", **{"class": "frame"})]


def _down(x: Axis, ticks: Sequence[tuple[float, str]]) -> list[Element]:
    """The labels below the chart; those at its ends stay inside the picture."""
    places = [(x.place(value), text) for value, text in ticks]
    anchors = ["end" if place > x.end - 20 else "middle" for place, _ in places]
    return [
        tag("text", text, x=f"{place:.1f}", y=str(HEIGHT - 5), **{"text-anchor": anchor})
        for (place, text), anchor in zip(places, anchors, strict=True)
    ]


def _up(y: Axis, *, whole: bool = False) -> list[Element]:
    """The labels at the left."""
    ticks = number_ticks(y, 4)
    if whole:
        ticks = [(value, f"{value:.0f}") for value, _ in ticks if value == int(value)]
    return [
        tag("text", text, x=str(_LEFT - 5), y=f"{y.place(value) + 4:.1f}", **{"text-anchor": "end"})
        for value, text in ticks
    ]


def _line(left: float, right: float, top: float, bottom: float) -> Element:
    return tag("path", d=f"M{left:.1f} {top:.1f}L{right:.1f} {bottom:.1f}", **{"class": "limit"})


def _picture(width: int, label: str, parts: Sequence[Element]) -> Element:
    return tag("svg", *parts, viewBox=f"0 0 {width} {HEIGHT}", role="img", **{"aria-label": label})
