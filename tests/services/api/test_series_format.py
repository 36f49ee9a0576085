"""The binary series: what is written is what a reader reads, and increments add up to the whole."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.api.mirrored_movies import mirror_of, movies
from tests.services.api.series_reader import Series
from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import Event
from warpcore.bus.messages import Movie, MovieEvent
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.catalogue import COLUMNS
from warpcore.services.api.mirror.series import MISSING, encode_series, quantised
from warpcore.services.session.movie_generation import generation_of
from warpcore.services.steps.chain import CHAIN


def series_of(mirror: Mirror, since: int | None = None, names: list[str] | None = None) -> Series:
    columns = [COLUMNS[name] for name in names or list(COLUMNS)]
    copied = mirror.copied(["id", *(column.source for column in columns)])
    return Series(encode_series(copied, columns, since))


@settings(max_examples=40, deadline=None)
@given(movies())
def test_a_reader_finds_every_value_of_every_movie(found: list[Movie]) -> None:
    series = series_of(mirror_of(found, seq=7))
    head = {name: series.header[name] for name in ("seq", "epoch", "full", "count", "total")}
    assert head == {"seq": 7, "epoch": "e", "full": True, "count": len(found), "total": len(found)}
    rows = series.rows()
    for movie in found:
        row = rows[movie.id]
        assert (row["name"], row["status"], row["selection"]) == (movie.name, movie.status, movie.selection)
        assert (row["worker"], row["priority"], row["generation"]) == (
            movie.worker,
            movie.priority,
            generation_of(movie),
        )
        assert (row["added"], row["acquired"]) == (movie.id, movie.mtime_ns // 10**9)
        for column in CHAIN.columns:
            told = row[next(one.name for one in COLUMNS.values() if one.source == column.name)]
            assert told == pytest.approx(column.value(movie.results), abs=0.51 * 10.0**-column.digits) or (
                told is column.value(movie.results) is None or told == column.value(movie.results)
            )


@settings(max_examples=40, deadline=None)
@given(movies(6), st.lists(st.tuples(st.integers(1, 6), st.integers(-9, 9)), max_size=12), st.integers(0, 12))
def test_increments_add_up_to_the_whole(found: list[Movie], changes: list[tuple[int, int]], asked: int) -> None:
    mirror = mirror_of(found)
    client = series_of(mirror).rows()
    known = 0
    by_id = {movie.id: movie for movie in found}
    for seq, (id, priority) in enumerate(changes, 1):
        movie = by_id.get(id) or Movie(id, f"new{id}", f"new{id}.tif", 1, 1, "queued")  # type: ignore[arg-type]
        by_id[id] = msgspec.structs.replace(movie, priority=priority)
        body = MovieEvent(by_id[id]).to_body()
        mirror.take(Event(Envelope("movie.status", body, "scheduler", seq=seq)))
        if seq == asked:
            increment = series_of(mirror, known)
            assert not increment.header["full"]
            client |= increment.rows()
            known = increment.header["seq"]
    last = series_of(mirror, known)
    assert {id for id, _ in changes[known:]} == set(last.rows())
    assert client | last.rows() == series_of(mirror).rows()


def test_one_who_knows_less_than_the_mirror_remembers_gets_all() -> None:
    movie = Movie(1, "a", "a.tif", 1, 1, "failed")  # type: ignore[arg-type]
    mirror = mirror_of([movie], seq=10)
    assert series_of(mirror, 9).header["full"] is True
    assert series_of(mirror, 10).header == {**series_of(mirror, 10).header, "full": False, "count": 0, "total": 1}


def test_the_number_stands_first_whatever_is_asked() -> None:
    mirror = mirror_of([])
    assert [one["name"] for one in series_of(mirror, names=["name"]).header["columns"]] == ["id", "name"]
    assert [one["name"] for one in series_of(mirror, names=["name", "id"]).header["columns"]] == ["id", "name"]


def test_columns_begin_where_typed_arrays_can() -> None:
    found = [Movie(id, "n" * id, f"{id}.tif", 1, 1, "failed") for id in (1, 2, 3)]  # type: ignore[arg-type]
    assert all(one["offset"] % 8 == 0 for one in series_of(mirror_of(found)).header["columns"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.floats(-1e5, 1e5), st.just(math.nan)), min_size=1), st.integers(0, 4))
def test_numbers_lose_less_than_half_their_last_digit(values: list[float], digits: int) -> None:
    whole = quantised(np.array(values), digits)
    for value, told in zip(values, whole.tolist(), strict=True):
        assert (told == MISSING) == math.isnan(value)
        assert math.isnan(value) or abs(told / 10**digits - value) <= 0.5000001 * 10.0**-digits


def test_numbers_beyond_32_bits_stay_the_largest_and_never_look_missing() -> None:
    assert quantised(np.array([1e30, -1e30]), 2).tolist() == [2**31 - 1, -(2**31 - 1)]


def test_a_column_of_many_words_takes_two_bytes() -> None:
    found = [Movie(id, f"{id}", f"{id}.tif", 1, 1, "failed", worker=f"w{id}") for id in range(1, 401)]  # type: ignore[arg-type]
    series = series_of(mirror_of(found), names=["worker"])
    assert series.columns["worker"] == [f"w{id}" for id in range(1, 401)]


def test_a_name_with_a_line_end_moves_no_other_name() -> None:
    found = [Movie(1, "a\nb", "a\nb.tif", 1, 1, "failed"), Movie(2, "c", "c.tif", 1, 1, "failed")]  # type: ignore[arg-type]
    assert series_of(mirror_of(found), names=["name"]).columns["name"] == ["a\N{REPLACEMENT CHARACTER}b", "c"]


def test_no_two_columns_look_the_same_in_a_list_of_columns() -> None:
    shown = [(column.heading, column.unit) for column in COLUMNS.values()]
    assert len(set(shown)) == len(shown)
