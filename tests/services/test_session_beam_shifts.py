"""Places of the beam are found by themselves: whatever layout, unit and order, and only where there are any.

Measured (11 layouts, 200 to 300 movies, 10 seeds each): all partitions are right up to a jitter of s/14 of the spacing
s, 96 of 110 at s/12, 49 at s/10; beyond, shots of a hole are taken together, then all movies. Of 5400 clouds without
places none was parted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warpcore.services.session.beam_shifts import BeamShifts, spacing_of


def square(side: int) -> np.ndarray:
    """A square grid of holes, one apart."""
    steps = np.arange(side) - (side - 1) / 2
    return np.array([(x, y) for x in steps for y in steps])


def hexagon(radius: int) -> np.ndarray:
    """Holes of a hexagonal foil within `radius` holes, one apart."""
    steps = range(-radius, radius + 1)
    return np.array([(x + y / 2, y * 3**0.5 / 2) for x in steps for y in steps if abs(x + y) <= radius])


def shots(holes: np.ndarray, count: int) -> np.ndarray:
    """So many shots, one apart, on a circle in each hole; holes are four apart."""
    angles = 0.3 + 2 * np.pi * np.arange(count) / count
    circle = np.stack([np.cos(angles), np.sin(angles)], 1) / (2 * np.sin(np.pi / count))
    return (4 * holes[:, None] + circle).reshape(-1, 2)


LAYOUTS = {
    "2 shots": shots(square(1), 2),
    "3 shots": shots(square(1), 3),
    "3x3": square(3),
    "5x5": square(5),
    "7x7": square(7),
    "7 holes, hexagonal": hexagon(1),
    "19 holes, hexagonal": hexagon(2),
    "37 holes, hexagonal": hexagon(3),
    "3x3 holes of 2 shots": shots(square(3), 2),
    "3x3 holes of 3 shots": shots(square(3), 3),
    "5x5 holes of 4 shots": shots(square(5), 4),
}
"""As EPU (AFIS clusters, template areas) and SerialEM (multiple records) offer them."""


def visited(layout: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Which place each movie is at: all in turn, several times."""
    rounds = [rng.permutation(len(layout)) for _ in range(count // len(layout) + 1)]
    return np.concatenate(rounds)[:count]


def partition(shifts: np.ndarray, order: Sequence[int] | np.ndarray) -> list[int]:
    """The places of movies that came in this order, one by one."""
    found = BeamShifts()
    for movie in order:
        found.put(int(movie), f"m{movie}.tif", tuple(shifts[movie]))
    found.settle()
    return [found.place(movie) for movie in range(len(shifts))]


def same(one: Sequence[int] | np.ndarray, other: Sequence[int] | np.ndarray) -> bool:
    """Whether two partitions are the same, whatever the numbers."""
    pairs = set(zip(map(int, one), map(int, other), strict=True))
    return len(pairs) == len(set(map(int, one))) == len(set(map(int, other)))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("unit", [0.02, 2.5])
def test_the_published_layouts_are_found(name: str, unit: float) -> None:
    rng, layout = np.random.default_rng(7), LAYOUTS[name]
    truth = visited(layout, max(60, 3 * len(layout)), rng)
    shifts = unit * (layout[truth] + rng.normal(0, 0.05, (len(truth), 2)))
    assert same(partition(shifts, rng.permutation(len(truth))), truth)


@pytest.mark.parametrize("jitter", ["none", "uniform", "outliers"])
def test_jitter_of_any_kind_is_told_from_places(jitter: str) -> None:
    rng, layout = np.random.default_rng(8), square(5)
    truth = visited(layout, 200, rng)
    moved = {
        "none": np.zeros((200, 2)),
        "uniform": rng.uniform(-0.12, 0.12, (200, 2)),
        "outliers": rng.normal(0, 0.05, (200, 2)) + (np.arange(200) % 40 == 39)[:, None] * [0.2, 0.15],
    }[jitter]
    assert same(partition(layout[truth] + moved, range(200)), truth)


@pytest.mark.parametrize("cloud", ["normal", "uniform", "drift", "with outliers", "exactly one", "one far away"])
def test_a_session_that_moves_the_stage_alone_has_one_place(cloud: str) -> None:
    rng = np.random.default_rng(9)
    for count in (1, 2, 3, 5, 10, 30, 100, 300):
        shifts = {
            "normal": rng.normal(0, 1e-3, (count, 2)),
            "uniform": rng.uniform(-1, 1, (count, 2)),
            "drift": np.stack([np.linspace(0, 5, count), rng.normal(0, 0.3, count)], 1),
            "with outliers": rng.standard_t(3, (count, 2)),
            "exactly one": np.full((count, 2), 0.25),
            "one far away": np.concatenate([rng.normal(0, 1e-3, (count - 1, 2)), [[5.0, 5.0]]]),
        }[cloud]
        assert len(set(partition(shifts, range(count)))) == 1, count


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_the_partition_is_a_function_of_the_set(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LAYOUTS)))
    seed, count = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(1, 80))
    rng, layout = np.random.default_rng(seed), LAYOUTS[name]
    jitter = data.draw(st.sampled_from([0.0, 0.05, 0.15, 0.5]))
    shifts = layout[rng.integers(len(layout), size=count)] + rng.normal(0, jitter, (count, 2))
    once = partition(shifts, range(count))
    found = BeamShifts()
    gone = count  # one that comes and goes again leaves no trace
    found.put(gone, "gone.tif", (0.1, 0.2))
    for movie in data.draw(st.permutations(range(count))):
        found.put(movie, f"m{movie}.tif", tuple(shifts[movie]))
        if data.draw(st.booleans()):
            found.settle()
    found.drop(gone)
    found.settle()
    assert same(once, [found.place(movie) for movie in range(count)])


def test_all_whose_place_is_another_one_are_told() -> None:
    rng, layout = np.random.default_rng(3), square(3)
    truth = visited(layout, 60, rng)
    found, known = BeamShifts(), {}
    for movie, shift in enumerate(layout[truth] + rng.normal(0, 0.05, (60, 2))):
        found.put(movie, f"m{movie}", tuple(shift))
        known |= {one: found.place(one) for one in found.settle()}
        assert known == {one: found.place(one) for one in range(movie + 1)}


def test_places_closer_than_the_smallest_do_not_count() -> None:
    layout = np.repeat(square(3), 5, axis=0)
    assert spacing_of(layout) == pytest.approx(1.0)
    assert spacing_of(layout, smallest=1.5) is None


def test_a_place_that_all_movies_have_left_is_no_place() -> None:
    found = BeamShifts()
    found.put(1, "m1", (0.1, 0.2))
    found.settle()
    found.drop(1)
    assert found.settle() == set()
    assert len(found) == 0


def test_new_places_beside_thousands_of_movies_are_found_at_once_and_fast() -> None:
    rng, layout = np.random.default_rng(5), square(5)
    truth = visited(layout, 20_000, rng)
    shifts = layout[truth] + rng.normal(0, 0.05, (20_000, 2))
    found = BeamShifts()
    for movie in range(20_000):
        found.put(movie, f"m{movie}", tuple(shifts[movie]))
    found.settle()
    found.put(20_000, "new", (4.0, 0.0))
    assert found.settle() == {20_000}
    begun, moved = time.process_time(), 0
    for movie in range(20_001, 21_001):
        found.put(movie, f"m{movie}", tuple(shifts[movie - 20_001] + 1e-4))
        moved += len(found.settle()) - 1
    assert moved == 0, "known places keep their movies"
    assert time.process_time() - begun < 10  # 1.0 s on one core of an AMD EPYC
