"""What the pickers are measured with, on picks whose worth is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.picking_pickers import Picked, laplacian
from tests.benchmarks.picking_reliability import calibration_error, reliability, reliability_diagram
from tests.benchmarks.picking_sets import Micrograph, PickingSet
from tests.benchmarks.picking_simulated import EMPTY_PIXEL_ANGSTROM, carbon_film, empty_ice
from tests.benchmarks.picking_tables import Counts, best, chance, counts, matches, measured, partners

SIDE, PIXEL = 1000, 4.0
GRID = np.stack(np.meshgrid(np.arange(60.0, 960, 50), np.arange(60.0, 960, 50)), axis=-1).reshape(-1, 2)


def field(truth_xy: np.ndarray, uncertain_xy: np.ndarray | None = None) -> PickingSet:
    """A blank micrograph of 1000² at 4 Å with labels; diameter 160, match 60, margin 80 Å: 40, 15 and 20 px."""
    uncertain = np.empty((0, 2)) if uncertain_xy is None else uncertain_xy
    one = Micrograph("field", np.zeros((SIDE, SIDE), np.float32), truth_xy, None, PIXEL, uncertain)
    return PickingSet("field", [one], 160, 60, 80, "made up")


def test_the_nearest_pair_matches_first_and_each_label_once() -> None:
    truth = np.array([[100.0, 100.0], [112.0, 100.0]])
    picked = np.array([[104.0, 100.0], [90.0, 100.0], [105.0, 100.0], [500.0, 500.0]])
    # 104 takes 100; 105 takes 112; 90 finds its label taken.
    np.testing.assert_array_equal(partners(picked, truth, 15), [0, -1, 1, -1])
    assert matches(picked, field(truth).data[0], 15, 20) == Counts(2, 2, 0)


def test_edges_and_uncertain_labels_count_on_neither_side() -> None:
    chosen = field(np.array([[10.0, 500.0], [500.0, 500.0], [700.0, 700.0]]), np.array([[300.0, 300.0]]))
    picked = [Picked(np.array([[12.0, 500.0], [500.0, 505.0], [302.0, 300.0], [400.0, 400.0]]), np.ones(4))]
    assert counts(picked, chosen, 0.5) == Counts(1, 1, 1)
    assert counts([Picked(np.empty((0, 2)), np.empty(0))], chosen, 0.5) == Counts(0, 0, 2)


def test_the_best_threshold_is_found() -> None:
    rng = np.random.default_rng(1)
    scores = np.concatenate([rng.uniform(0.2, 0.4, len(GRID)), rng.uniform(0.05, 0.19, len(GRID))])
    picked = [Picked(np.concatenate([GRID, GRID + 25]), scores)]
    chosen = field(GRID)
    assert counts(picked, chosen, 0.5).f1 == 0
    f1, threshold = best(picked, chosen)
    assert f1 > 0.98  # measured 0.992; one of the thresholds lies within 11 picks of the best
    assert 0.18 < threshold < 0.22


def test_chance_is_what_the_area_around_labels_says() -> None:
    chosen = field(GRID)
    picked = [Picked(GRID + 25, np.ones(len(GRID)))]
    # The share of the field inside the margin within 15 px of a label; no circle holds two picks.
    near = len(GRID) * np.pi * 15**2 / (SIDE - 2 * 20) ** 2
    assert chance(picked, chosen, 0.5).precision == pytest.approx(near, abs=0.01)  # measured 0.252 of 0.249
    assert chance([Picked(np.empty((0, 2)), np.empty(0))], chosen, 0.5).f1 == 0


def test_scores_that_are_probabilities_lie_on_the_diagonal_and_others_do_not() -> None:
    rng = np.random.default_rng(2)
    scores = rng.uniform(0, 1, len(GRID))
    chosen = field(GRID[rng.random(len(GRID)) < scores])
    rows = [
        measured(name, lambda _, given=given: [Picked(GRID, given)], chosen)  # type: ignore[misc]
        for name, given in (("true", scores), ("too sure", scores**0.25))
    ]
    for one in reliability(rows[0]):
        assert abs(one.share - one.mean_score) < 4 * one.deviation
    assert calibration_error(rows[0]) < 0.08  # measured 0.045, by counting 32 picks a bin alone
    assert calibration_error(rows[1]) > 0.2  # measured 0.33
    picture = reliability_diagram([rows])
    assert picture.shape[2] == 3
    assert picture.min() < 100 < picture.max()


def test_a_dark_spot_is_found_by_the_laplacian_where_it_is() -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    noise = np.random.default_rng(3).normal(0, 1, (SIDE, SIDE))
    spots = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 2 / 10**2) for cx, cy in GRID[::7])
    one = field(GRID[::7]).data[0]._replace(image=(noise - spots).astype(np.float32))
    chosen = field(GRID[::7])._replace(data=[one])
    row = measured("Laplacian", laplacian(level=4.0), chosen)
    assert row.default.f1 > 0.98  # measured 1.000


def structure(image: np.ndarray) -> float:
    """Relative standard deviation of blocks of 8 × 8 px beyond that of counting electrons."""
    blocks = image.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    return float(np.sqrt(blocks.var() / blocks.mean() ** 2 - 1 / (64 * blocks.mean())))


def test_carbon_film_is_darker_and_has_more_structure_than_ice() -> None:
    ice, film = empty_ice(512)[0].image, carbon_film(512)[1].image
    assert ice.mean() == pytest.approx(40 * EMPTY_PIXEL_ANGSTROM**2, rel=0.001)  # its dose; measured 1.0000 of it
    assert film.mean() == pytest.approx(0.85 * 20 * EMPTY_PIXEL_ANGSTROM**2, rel=0.002)  # measured 0.9995 of it
    assert structure(film) > 2 * structure(ice)  # measured 0.039 and 0.013
