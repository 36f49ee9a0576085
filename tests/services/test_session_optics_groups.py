"""Optics groups get numbers by first appearance, which are never given to another group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.test_session_beam_shifts import LAYOUTS, square, visited
from warpcore.services.session.optics_groups import Grouped, OpticsGroups, apart, name_part, pattern_fault


def at(movie: int, shift: tuple[float, float] | None, key: str = "optics") -> Grouped:
    """A movie at a beam shift, as EPU tells it."""
    return Grouped(f"m{movie}.tif", key, shift, "epu" if shift is not None else "")


def numbers(groups: OpticsGroups, movies: int) -> list[int]:
    """The groups of movies 1, 2, …"""
    return [groups.group(movie) for movie in range(1, movies + 1)]


def two_squares(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """2 squares of 4 holes with 5 x 5 beam shifts each, one by one, jittered by a twentieth of their spacing."""
    truth = np.tile(np.arange(25), 8)
    return truth, 0.02 * (square(5)[truth] + np.random.default_rng(seed).normal(0, 0.05, (200, 2)))


@pytest.mark.parametrize("seed", [0, 1])
def test_two_squares_get_25_numbers_that_stay_from_the_second_hole_on(seed: int) -> None:
    truth, shifts = two_squares(seed)
    groups = OpticsGroups()
    known: dict[int, int] = {}
    last_change = 0
    for movie, shift in enumerate(shifts, 1):
        groups.put(movie, at(movie, tuple(shift)))
        for told in groups.settle():
            if known.get(told, groups.group(told)) != groups.group(told):
                assert known[told] == 1, "only out of the group in which all movies begin"
                last_change = movie
            known[told] = groups.group(told)
    assert numbers(groups, 200) == (truth + 1).tolist() == [known[movie] for movie in range(1, 201)]
    assert groups.last == 25
    assert last_change < 40  # 28 to 31 for seeds 0 to 4


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_numbers_follow_from_the_founders_after_a_restart(data: st.DataObject) -> None:
    """Movies come, go, learn where they were and stop; what is told of each is all that a new run is given."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    layout = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))]
    truth = visited(layout, 60, rng)
    shifts = layout[truth] + rng.normal(0, data.draw(st.sampled_from([0.0, 0.05, 0.2])), (60, 2))
    groups, stored, given_to = OpticsGroups(), {}, {}
    for movie in range(1, 61):
        groups.put(movie, at(movie, None if data.draw(st.integers(0, 4)) == 0 else tuple(shifts[movie - 1])))
        action = data.draw(st.integers(0, 9))
        if action == 0:
            groups.put(data.draw(st.integers(1, movie)), at(movie, tuple(shifts[movie - 1])))
        elif action == 1 and stored:
            gone = data.draw(st.sampled_from(sorted(stored)))
            if gone in groups:
                groups.drop(gone)
        stored = {one: kept for one, kept in stored.items() if one in groups}
        for told in groups.settle():
            stored[told] = (groups.group(told), groups.founded(told))
        assert stored == {one: (groups.group(one), groups.founded(one)) for one in stored}
        founders = [number for _, number in stored.values() if number]
        assert len(set(founders)) == len(founders)
        assert {number for number, _ in stored.values()} <= set(founders)
    for one, (number, _) in stored.items():
        given_to.setdefault(number, set()).add(one)
    assert groups.last >= max(given_to)
    again = OpticsGroups(groups.last)
    for one in data.draw(st.permutations(sorted(stored))):
        again.put(one, groups._movies[one], stored[one][1])
    again.settle()
    assert {one: (again.group(one), again.founded(one)) for one in stored} == stored


def test_movies_of_other_optics_or_without_a_beam_shift_are_apart() -> None:
    groups = OpticsGroups()
    for movie, grouped in enumerate(
        [at(1, (0, 0)), at(2, (0, 0), "finer"), at(3, None), at(4, (0, 0)), at(5, None)], 1
    ):
        groups.put(movie, grouped)
    groups.settle()
    assert numbers(groups, 5) == [1, 2, 3, 1, 3]


def test_a_movie_that_goes_elsewhere_leaves_its_number_to_those_that_stay() -> None:
    groups = OpticsGroups()
    for movie in (1, 2, 3):
        groups.put(movie, at(movie, None))
    groups.put(4, at(4, (0.0, 0.0)))
    groups.settle()
    groups.put(1, at(1, (0.0, 0.0)))
    assert groups.settle() >= {1, 2}
    assert numbers(groups, 4) == [2, 1, 1, 2]
    assert [groups.founded(movie) for movie in (1, 2, 3, 4)] == [0, 1, 0, 2]


def test_a_movie_alone_takes_its_number_to_a_new_group_and_not_into_a_known_one() -> None:
    groups = OpticsGroups()
    groups.put(1, at(1, None))
    groups.settle()
    groups.put(1, at(1, (0.0, 0.0)))
    groups.settle()
    assert numbers(groups, 1) == [1]
    groups.put(2, at(2, None))
    groups.settle()
    groups.put(2, at(2, (0.0, 0.0)))
    groups.settle()
    groups.put(3, at(3, None))
    groups.settle()
    assert numbers(groups, 3) == [1, 1, 3], "number 2 was given, and is not given again"


def test_groups_that_met_and_part_again_have_their_former_numbers() -> None:
    truth, shifts = two_squares()
    groups = OpticsGroups()
    for movie in range(1, 101):
        groups.put(movie, at(movie, tuple(shifts[movie - 1])))
    groups.settle()
    before = numbers(groups, 100)
    met = OpticsGroups(groups.last)
    for movie in range(1, 101):
        met.put(movie, at(movie, None), groups.founded(movie))
    met.settle()
    assert set(numbers(met, 100)) == {1}
    parted = OpticsGroups(met.last)
    for movie in range(1, 101):
        parted.put(movie, at(movie, tuple(shifts[movie - 1])), met.founded(movie))
    parted.settle()
    assert numbers(parted, 100) == before == (truth[:100] + 1).tolist()


def test_two_optics_of_one_group_have_two_rows() -> None:
    wanted = [(1, "a"), (1, "b"), (3, "a"), (1, "a"), (1, "c")]
    assert apart(wanted) == {(1, "a"): 1, (1, "b"): 4, (3, "a"): 3, (1, "c"): 5}


@pytest.mark.parametrize(
    ("pattern", "name", "part"),
    [
        ("*_h{group}_s{group}_*", "img_h1_s2_i374_movie", "1-2"),
        ("*_{group}_0*", "g_X+1Y-1-2_0001", "X+1Y-1-2"),
        ("*_{group}_fractions", "a_b_17_Fractions", "17"),
        ("{group}_*", "g1_0001", "g1"),
        ("g{group}", "g1_2", None),
        ("x[1]{group}", "x[1]7", "7"),
    ],
)
def test_a_pattern_names_the_group(pattern: str, name: str, part: str | None) -> None:
    assert name_part(pattern, name) == part


@pytest.mark.parametrize("pattern", ["*", "{group}*", "*{group}_", "*_{group}_*_{group}_*"])
def test_patterns_that_say_nothing_or_too_much_are_refused(pattern: str) -> None:
    assert pattern_fault(pattern)
