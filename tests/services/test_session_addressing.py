"""A movie is reached by its name, its number, or an escaped name, and no name hides another movie for good."""

from __future__ import annotations

import pytest

from warpcore.services.session.addressing import addressed

NAMES = {"a": 1, "grid1/a": 2, "summary": 3, "~1": 4, "~/a": 5}


@pytest.mark.parametrize(
    ("address", "movie"),
    [
        ("a", 1),
        ("grid1/a", 2),
        ("~2", 2),
        ("~/grid1/a", 2),
        ("~/summary", 3),
        ("~3", 3),
        ("~1", 4),
        ("~/~1", 4),
        ("~/a", 5),
        ("~/~/a", 5),
        ("~6", None),
        ("~0", None),
        ("~01", None),
        ("~-1", None),
        ("~²", None),
        ("~" + "9" * 30, None),
        ("~/", None),
        ("", None),
    ],
)
def test_an_address_means_one_movie(address: str, movie: int | None) -> None:
    assert addressed(address, NAMES, {number: number for number in NAMES.values()}) == movie
