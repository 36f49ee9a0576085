"""The session's report: all of it in one file, for no movies and for many, and what stands in it."""

from __future__ import annotations

import base64
import hashlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.api.html_reader import Reader
from tests.services.api.mirrored_movies import mirror_of, movies
from tests.services.api.rest_session import Api
from warpcore.bus.messages import Movie, ProcessingStatus
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.api.markup import document_text, tag
from warpcore.services.api.report.axes import Axis, number_ticks, time_ticks, value_range
from warpcore.services.api.report.charts import Measured, histogram, over_time
from warpcore.services.api.report.choosing import drawn_columns, extremes, kept_movies, measured
from warpcore.services.api.report.document import Session, needed_columns, report
from warpcore.services.session.settings import Settings, patch_settings


def session(all: list[Movie], chosen: Settings) -> Session:
    status = ProcessingStatus(False, {}, len(all), 0, None, 60, 0, [], 0, "/data/krios/2026-02", "/results")
    copied = mirror_of(all).copied(needed_columns(chosen))
    versions = {"api": {"warpcore": "1"}, "scheduler": {}}
    return Session(1.8e9, copied, status, chosen, [], [], [], versions, lambda name: b"picture of it")


def with_resolution(
    id: int,
    resolution: float | None,
    status: MovieStatus = MovieStatus.PROCESSED,
    selection: Selection = Selection.AUTO,
) -> Movie:
    results = {"ctf": {"resolution_angstrom": resolution}}
    return Movie(id, f"m{id}", f"m{id}.tif", 1, 10**18, status, selection, results=results)


def names(all: list[Movie], count: int) -> tuple[list[str], list[str]]:
    made = session(all, Settings())
    found = extremes(made.copied, count)
    assert found is not None
    return [made.copied.names[row] for row in found.best], [made.copied.names[row] for row in found.worst]


def test_the_report_of_a_session_holds_all_of_it(api: Api) -> None:
    answer = api.http.get("/api/report")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    read = Reader(answer.text)
    for told in ("grid 2/µ%", "bad.tif: not a movie", "3 processed", "1 failed", "ctf.amplitude_contrast", "host/1"):
        assert told in read.text
    assert {"svg", "style", "table"} <= {name for name, _ in read.tags}


def test_the_report_opens_offline(api: Api) -> None:
    read = Reader(api.http.get("/api/report").text)
    assert not {"script", "link", "iframe", "object"} & {name for name, _ in read.tags}
    assert not read.of("href")
    assert all(source.startswith("data:image/jpeg;base64,") for source in read.of("src"))
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]


def test_browsers_take_its_own_style_and_nothing_else_also_from_a_file(api: Api) -> None:
    answer = api.http.get("/api/report")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    read = Reader(answer.text)
    (within,) = (one["content"] for name, one in read.tags if name == "meta" and "http-equiv" in one)
    for policy in (within or "", answer.headers["content-security-policy"]):
        assert f"style-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
    assert not read.of("style"), "an attribute that the policy forbids"


def test_without_movies_there_is_a_report_too() -> None:
    text = Reader(report(session([], Settings()))).text
    assert "none has been found yet" in text
    assert "2026-02: session report" in text


@given(movies())
@settings(max_examples=25)
def test_any_movies_give_a_report(all: list[Movie]) -> None:
    text = report(session(all, Settings()))
    assert text.count("<svg") == 2 * len(measured_fields(all))


def measured_fields(all: list[Movie]) -> set[str]:
    """The values, of those that these movies may have and that are drawn, that were measured in any."""
    found = set()
    for movie in all:
        for step, field in (("ctf", "defocus_um"), ("ctf", "resolution_angstrom"), ("picking", "count")):
            if movie.results.get(step, {}).get(field) is not None:
                found.add(field)
    return found


def test_best_and_worst_go_by_resolution_and_leave_out_what_has_none() -> None:
    values = [4.0, 3.0, None, 5.0, 8.0, 3.5]
    all = [with_resolution(id, value) for id, value in enumerate(values, 1)]
    all.append(with_resolution(7, 1.0, status=MovieStatus.FAILED))
    assert names(all, 2) == (["m2", "m6"], ["m5", "m4"])


def test_no_movie_is_both_among_the_best_and_the_worst() -> None:
    assert names([with_resolution(1, 3.0)], 6) == (["m1"], [])
    assert names([with_resolution(id, 3.0) for id in (1, 2, 3)], 6) == (["m1", "m2"], ["m3"])


def test_kept_are_movies_that_neither_filter_nor_person_leaves_out() -> None:
    told = [
        (MovieStatus.PROCESSED, Selection.AUTO),
        (MovieStatus.PROCESSED, Selection.EXCLUDE),
        (MovieStatus.FILTERED_OUT, Selection.AUTO),
        (MovieStatus.PROCESSED, Selection.INCLUDE),
        (MovieStatus.FAILED, Selection.INCLUDE),
    ]
    all = [with_resolution(id, 3.0, status=status, selection=chosen) for id, (status, chosen) in enumerate(told, 1)]
    assert kept_movies(session(all, Settings()).copied).tolist() == [True, False, False, True, False]


def test_particles_are_told_where_there_are_any() -> None:
    picked = Movie(1, "a", "a.tif", 1, 10**18, MovieStatus.PROCESSED, results={"picking": {"count": 1204}})
    told = Reader(report(session([picked], Settings()))).text
    assert "1 movie, 1\N{NARROW NO-BREAK SPACE}204 particles picked" in told
    assert "particles picked" not in Reader(report(session([with_resolution(1, 3.0)], Settings()))).text


def test_limits_in_force_are_drawn_also_those_without_a_setting_of_their_own() -> None:
    all = [with_resolution(1, 3.0), with_resolution(2, 6.0)]
    for movie in all:
        movie.results["ctf"]["ice_ring"] = 1.0
    limited = patch_settings(Settings(), {"filter": {"limits": {"ctf.ice_ring": [0.5, 2.5]}, "resolution_max": 5}})
    columns = drawn_columns(limited.filter)
    found = measured(session(all, limited).copied, columns, limited.filter)
    bounds = {one.heading: one.bounds for one in found}
    assert bounds["resolution, Å"] == [5]
    assert [0.5, 2.5] in bounds.values()


@pytest.mark.parametrize("digits", [0, 2])
def test_charts_of_very_many_movies_stay_small(digits: int) -> None:
    rng = np.random.default_rng(1)
    count = 200_000
    values = np.round(rng.normal(200, 50, count), digits)
    many = Measured(
        "particles", digits, values, np.sort(rng.uniform(0, 1e6, count)), rng.uniform(size=count) < 0.9, [90]
    )
    size = len(document_text(tag("head"), tag("body", over_time(many), histogram(many))))
    assert size < 300_000


def test_a_far_value_does_not_squeeze_the_others() -> None:
    low, high = value_range(np.append(np.linspace(3, 4, 1000), 900.0))
    assert 2.9 < low < 3
    assert 4 < high < 4.1


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_ticks_are_few_and_on_the_axis(low: float, length: float, most: int) -> None:
    for ticks, axis in (
        (number_ticks, Axis(low, low + length, 0, 100)),
        (time_ticks, Axis(1.7e9 + low, 1.7e9 + low + length * 1e3, 0, 100)),
    ):
        found = [value for value, _ in ticks(axis, most)]
        slack = 1e-6 * (axis.high - axis.low) + 1e-6
        assert len(found) <= most + 1
        assert all(axis.low - slack <= value <= axis.high + slack for value in found)
        assert found == sorted(set(found))


def test_ticks_are_written_as_people_read_them() -> None:
    assert [text for _, text in number_ticks(Axis(0, 0.52, 0, 1), 5)] == ["0.0", "0.2", "0.4"]
    assert [text for _, text in time_ticks(Axis(1_767_225_600, 1_767_225_600 + 3 * 3600, 0, 1), 3)] == [
        "00:00",
        "01:00",
        "02:00",
        "03:00",
    ]
