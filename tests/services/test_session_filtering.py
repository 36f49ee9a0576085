"""The filter and the order of movies, both made from the columns' declarations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from warpcore.services.session.filtering import filter_reasons, limits_by_column
from warpcore.services.session.settings import SettingsError, parse_settings
from warpcore.services.session.sorting import in_order, sortable

GOOD: dict[str, Any] = {
    "motion": {"mean_frame_movement_angstrom": 1.0},
    "ctf": {"defocus_um": 1.5, "defocus_delta_um": 0.05, "resolution_angstrom": 3.5, "failure": None},
    "picking": {"count": 20, "junk_percent": 2.0},
}


def reasons(results: dict[str, Any], **limits: Any) -> list[str]:
    return filter_reasons(results, parse_settings({"filter": limits}).filter)


@pytest.mark.parametrize(
    ("step", "values", "told"),
    [
        ("ctf", {"defocus_um": 5.2}, "defocus 5.2 µm is above 5"),
        ("ctf", {"defocus_um": -0.25}, "defocus -0.25 µm is below 0"),
        ("ctf", {"defocus_delta_um": 3.5}, "astigmatism 3.5 µm is above 3"),
        ("ctf", {"resolution_angstrom": 6.25}, "resolution 6.25 Å is above 5"),
        ("motion", {"mean_frame_movement_angstrom": 7.0}, "mean early step 7 Å is above 5"),
        ("picking", {"count": 0}, "particles 0 is below 1"),
        ("picking", {"junk_percent": 12.0}, "junk 12 % is above 10"),
    ],
)
def test_each_limit_has_its_reason(step: str, values: dict[str, Any], told: str) -> None:
    assert reasons(GOOD) == []
    assert reasons({**GOOD, step: {**GOOD[step], **values}}) == [told]


def test_what_was_not_measured_cannot_fail_and_null_is_no_limit() -> None:
    assert reasons({}) == []
    assert reasons({**GOOD, "ctf": {**GOOD["ctf"], "resolution_angstrom": 99.0}}, resolution_max=None) == []


def test_a_fit_that_failed_is_a_reason_while_resolution_is_limited() -> None:
    failed = {**GOOD, "ctf": {"failure": "no rings"}}
    assert reasons(failed) == ["no CTF fit: no rings"]
    assert reasons(failed, resolution_max=None) == []


def test_any_column_can_be_limited() -> None:
    limits = {"motion.accumulated_total_angstrom": [2.0, 20.0], "ctf.resolution_angstrom": [3.8, None]}
    measured = {**GOOD, "motion": {"mean_frame_movement_angstrom": 1.0, "accumulated_total_angstrom": 25.5}}
    assert reasons(measured, limits=limits) == ["total motion 25.5 Å is above 20", "resolution 3.5 Å is below 3.8"]
    measured["motion"]["accumulated_total_angstrom"] = 20.0
    assert reasons(measured, limits=limits) == ["resolution 3.5 Å is below 3.8"]
    assert reasons({}, limits=limits) == []
    by_column = limits_by_column(parse_settings({"filter": {"limits": limits}}).filter)
    assert by_column["motion.accumulated_total_angstrom"] == (2.0, 20.0)
    assert by_column["ctf.resolution_angstrom"] == (3.8, 5.0), "two limits: both hold"


def test_a_limit_given_twice_is_one_reason() -> None:
    measured = {**GOOD, "ctf": {**GOOD["ctf"], "defocus_um": 5.2}}
    assert reasons(measured, limits={"ctf.defocus_um": [None, 5.0]}) == ["defocus 5.2 µm is above 5"]


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"ctf.sharpness": [1, 2]}, "ctf.sharpness: there is no such column; there are .*ctf.defocus_um"),
        ({"ctf.defocus_um": [1]}, r"give \[lowest, highest\]"),
        ({"ctf.defocus_um": [3, 2]}, "3, is above the highest, 2"),
        ({"ctf.defocus_um": ["1", None]}, "ctf.defocus_um"),
        ({"ctf.defocus_um": 4}, "valid list"),
    ],
)
def test_impossible_limits_are_refused(limits: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        parse_settings({"filter": {"limits": limits}})


@dataclass
class Named:
    id: int
    name: str
    status: str = "processed"
    results: dict[str, Any] = field(default_factory=dict)


def test_movies_without_a_value_come_last_in_both_directions() -> None:
    movies = [
        Named(1, "b", results={"ctf": {"defocus_um": 2.0}}),
        Named(2, "c"),
        Named(3, "a", results={"ctf": {"defocus_um": 1.0}}),
    ]
    assert [one.id for one in in_order(movies, "ctf.defocus_um")] == [3, 1, 2]
    assert [one.id for one in in_order(movies, "ctf.defocus_um", descending=True)] == [1, 3, 2]
    assert [one.id for one in in_order(movies, "name")] == [3, 1, 2]
    assert [one.id for one in in_order(movies, "added", descending=True)] == [3, 2, 1]


def test_derived_columns_sort_and_unknown_keys_do_not() -> None:
    ctf = {"defocus_delta_um": 0.5, "defocus_angle_degrees": 0.0}
    movies = [Named(1, "a", results={"ctf": ctf}), Named(2, "b", results={"ctf": {**ctf, "defocus_delta_um": 0.1}})]
    assert [one.id for one in in_order(movies, "ctf.astigmatism_x_um")] == [2, 1]
    assert sortable("input.frames")
    assert not any(sortable(key) for key in ("", "ctf", "nothing.x", "ctf.", "ctf.typo", "size"))
