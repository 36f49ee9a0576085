"""Filters, orders and pages of the mirror give what going through all movies one by one gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.api.mirrored_movies import mirror_of, movies
from warpcore.bus.messages import Movie
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.catalogue import COLUMNS
from warpcore.services.api.mirror.cells import csv_lines, records
from warpcore.services.api.mirror.filtering import QueryError, matching, parse_filter
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.mirror.sorting import cursor_at, in_order, parse_sort
from warpcore.services.session import sorting
from warpcore.services.steps.chain import CHAIN

SORTABLE = ("added", "name", "status", "ctf.defocus_um", "picking.count", "picking.picks")
IN_REST = {"ctf.defocus_um": "ctf.defocusUm"}


def copy_of(mirror: Mirror) -> Copied:
    return mirror.copied({column.source for column in COLUMNS.values()})


def everything(copied: Copied) -> Any:
    return np.arange(len(copied.ids))


@settings(max_examples=40, deadline=None)
@given(movies(), st.sampled_from(SORTABLE), st.booleans())
def test_one_key_sorts_as_the_command_line_does(found: list[Movie], key: str, descending: bool) -> None:
    copied = copy_of(mirror_of(found))
    keys = parse_sort("-" * descending + IN_REST.get(key, key))
    expected = [movie.id for movie in sorting.in_order(found, key, descending=descending)]
    assert copied.ids[in_order(copied, keys, everything(copied))].tolist() == expected


KEYS = st.lists(
    st.builds(lambda name, minus: "-" * minus + name, st.sampled_from(list(COLUMNS)), st.booleans()),
    min_size=1,
    max_size=3,
).map(",".join)


@settings(max_examples=40, deadline=None)
@given(movies(), KEYS, st.integers(1, 4))
def test_pages_by_cursor_hold_each_movie_once_and_in_order(found: list[Movie], sort: str, size: int) -> None:
    copied = copy_of(mirror_of(found))
    keys = parse_sort(sort)
    whole = in_order(copied, keys, everything(copied)).tolist()
    pages: list[int] = []
    while len(pages) < len(whole):
        cursor = cursor_at(copied, keys, pages[-1]) if pages else ""
        page = in_order(copied, keys, everything(copied), cursor)[:size].tolist()
        assert page
        pages += page
    assert pages == whole


@settings(max_examples=40, deadline=None)
@given(movies(), KEYS, st.data())
def test_a_cursor_goes_on_where_it_stood_after_its_movie_is_gone(
    found: list[Movie], sort: str, data: st.DataObject
) -> None:
    """Filters may no longer fit it."""
    copied = copy_of(mirror_of(found))
    keys = parse_sort(sort)
    whole = in_order(copied, keys, everything(copied)).tolist()
    if whole:
        place = data.draw(st.integers(0, len(whole) - 1))
        cursor = cursor_at(copied, keys, whole[place])
        others = np.delete(everything(copied), whole[place])
        assert in_order(copied, keys, others, cursor).tolist() == whole[place + 1 :]


@pytest.mark.parametrize(
    "cursor", ["x", "e30", "W10", "MQ", "bnVsbA", "W1siYWRkZWQiXSwxLDJd" + "A" * 4000, "W1siYWRkZWQiXSwiYSIsMV0"]
)
def test_cursors_that_are_none_are_refused(cursor: str) -> None:
    copied = copy_of(mirror_of([]))
    with pytest.raises(QueryError, match=r"nextCursor|another order"):
        in_order(copied, parse_sort("added"), everything(copied), cursor)


def test_a_cursor_of_another_order_is_refused() -> None:
    copied = copy_of(mirror_of([Movie(1, "a", "a.tif", 1, 1, "failed")]))  # type: ignore[arg-type]
    cursor = cursor_at(copied, parse_sort("name"), 0)
    with pytest.raises(QueryError, match="another order"):
        in_order(copied, parse_sort("-name"), everything(copied), cursor)


def value(movie: Movie, name: str) -> Any:
    """A movie's value without the mirror."""
    column = CHAIN.column.get(name)
    return getattr(movie, name) if column is None else column.value(movie.results)


@settings(max_examples=40, deadline=None)
@given(
    movies(),
    st.sampled_from(["ctf.defocus_um", "picking.count", "priority"]),
    st.sampled_from([None, -3.0, 0.0, 1.5]),
    st.sampled_from([None, -3.0, 1.5, 2.0]),
)
def test_a_range_holds_for_what_was_measured(
    found: list[Movie], name: str, low: float | None, high: float | None
) -> None:
    text = f"{IN_REST.get(name, name)}:{'' if low is None else low}..{'' if high is None else high}"
    copied = copy_of(mirror_of(found))
    expected = [
        movie.id
        for movie in found
        if (one := value(movie, name)) is not None and (low is None or one >= low) and (high is None or one <= high)
    ]
    assert copied.ids[matching(copied, [parse_filter(text)])].tolist() == expected


@settings(max_examples=40, deadline=None)
@given(movies(), st.sampled_from(["ctf.defocus_um", "picking.picks", "worker", "picking.count"]))
def test_what_was_not_measured_can_be_found(found: list[Movie], name: str) -> None:
    copied = copy_of(mirror_of(found))
    fits = matching(copied, [parse_filter(f"{IN_REST.get(name, name)}:none")])
    assert copied.ids[fits].tolist() == [movie.id for movie in found if value(movie, name) is None]


@settings(max_examples=40, deadline=None)
@given(movies())
def test_words_names_and_several_filters(found: list[Movie]) -> None:
    copied = copy_of(mirror_of(found))

    def fitting(*texts: str) -> list[int]:
        ids: list[int] = copied.ids[matching(copied, map(parse_filter, texts))].tolist()
        return ids

    assert fitting("status:failed,queued") == [one.id for one in found if one.status in ("failed", "queued")]
    assert fitting("worker:h/1") == [one.id for one in found if one.worker == "h/1"]
    assert fitting("name:grid1/*") == [one.id for one in found if one.name.startswith("grid1/")]
    assert fitting("name:*-[12]", "selection:auto") == [
        one.id for one in found if one.name[-2:] in ("-1", "-2") and one.selection == "auto"
    ]
    assert fitting("acquired:2..") == [one.id for one in found if one.mtime_ns >= 2e9]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "COLUMN:WHAT"),
        ("defocus:1..2", "ctf.defocusUm"),
        ("ctf.defocusUm", "COLUMN:WHAT"),
        ("ctf.defocusUm:1", "LOW..HIGH"),
        ("ctf.defocusUm:a..2", "'a' is no number"),
        ("ctf.defocusUm:nan..2", "'nan' is no number"),
        ("status:done", "use words of unprocessed"),
        ("selection:", "use words of auto"),
    ],
)
def test_filters_that_cannot_be_say_what_can(text: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        parse_filter(text)


def test_cells_are_rounded_and_whole_numbers_stay_whole() -> None:
    results = {"ctf": {"defocus_um": 1.234567, "defocus_u_angstrom": 12345.6}, "picking": {"count": 7}}
    found = [
        Movie(1, 'a "b", c', "a.tif", 1, 1_700_000_000_400_000_000, "processed", results=results),  # type: ignore[arg-type]
        Movie(2, "d", "d.tif", 1, 0, "failed", worker="w"),  # type: ignore[arg-type]
    ]
    copied = copy_of(mirror_of(found))
    names = ["id", "name", "worker", "acquired", "ctf.defocusUm", "ctf.defocusUAngstrom", "picking.count"]
    columns = [COLUMNS[name] for name in names]
    first, second = records(copied, columns, everything(copied))
    assert list(first.values()) == [1, 'a "b", c', None, 1_700_000_000, 1.2346, 12346, 7]
    assert list(second.values()) == [2, "d", "w", 0, None, None, None]
    assert csv_lines(copied, columns, everything(copied)) == (
        b'1,"a ""b"", c",,1700000000,1.2346,12346,7\n2,d,w,0,,,\n'
    )
