"""The number of a movie's results: when it stays and when it changes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.session.movie_generation import generation_of

MOVIE = Movie(
    id=3,
    name="a",
    path="a.tif",
    size=100,
    mtime_ns=5,
    status=MovieStatus.PROCESSED,
    results={"picking": {"count": 4, "choice": "one"}, "input": {}},
    fingerprints={"motion": "2:a", "picking": "2:b.c"},
)


def test_a_generation_is_an_unsigned_32_bit_number_that_stays_over_versions_of_python() -> None:
    assert generation_of(MOVIE) == 1801669569


@pytest.mark.parametrize(
    "change",
    [
        {"id": 4},
        {"size": 101},
        {"mtime_ns": 6},
        {"hand_picks": "edited"},
        {"fingerprints": {"motion": "2:a", "picking": "2:b.d"}},
        {"results": {"picking": {"count": 4, "choice": "two"}}},
        {"results": {"picking": {"count": 4, "choice": None}}},
    ],
)
def test_other_results_have_another_generation(change: dict[str, Any]) -> None:
    assert generation_of(replace(MOVIE, **change)) != generation_of(MOVIE)


@pytest.mark.parametrize(
    "change",
    [
        {"status": MovieStatus.FILTERED_OUT},
        {"selection": Selection.EXCLUDE},
        {"worker": "w", "priority": 7},
        {"fingerprints": {"picking": "2:b.c", "motion": "2:a"}},
    ],
)
def test_what_changes_no_result_changes_no_generation(change: dict[str, Any]) -> None:
    assert generation_of(replace(MOVIE, **change)) == generation_of(MOVIE)
