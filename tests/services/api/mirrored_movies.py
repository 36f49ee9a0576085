"""Movies by chance, for tests of what is made from the mirror."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from warpcore.bus.follower import Reset
from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.api.mirror import Mirror

FEW_NUMBERS = st.sampled_from([None, 0.0, 1.5, 2.25, -3.0])
"""Few different ones, so that movies tie."""


@st.composite
def movies(draw: st.DrawFn, most: int = 12) -> list[Movie]:
    """Movies with few different values, some of them missing."""
    return [draw(_movies(id)) for id in range(1, draw(st.integers(0, most)) + 1)]


@st.composite
def _movies(draw: st.DrawFn, id: int) -> Movie:
    results: dict[str, Any] = {}
    if draw(st.booleans()):
        results["ctf"] = {"defocus_um": draw(FEW_NUMBERS), "resolution_angstrom": draw(FEW_NUMBERS)}
    if draw(st.booleans()):
        results["picking"] = {"count": draw(st.integers(0, 3)), "certainty": draw(st.sampled_from([None, 0.2, 0.9]))}
    name = f"{draw(st.sampled_from(['grid1/', '', 'µ ', 'z']))}{draw(st.integers(0, 3))}-{id}"
    return Movie(
        id=id,
        name=name,
        path=f"{name}.tif",
        size=1,
        mtime_ns=draw(st.integers(0, 3)) * 10**9,
        status=draw(st.sampled_from(MovieStatus)),
        selection=draw(st.sampled_from(Selection)),
        priority=draw(st.integers(-1, 1)),
        results=results,
        worker=draw(st.sampled_from([None, "h/1", "h/2"])),
    )


def mirror_of(movies: list[Movie], seq: int = 0) -> Mirror:
    """A mirror that has just read these."""
    mirror = Mirror()
    mirror.take(Reset(seq, "e", movies, {}, 1, False))
    return mirror
