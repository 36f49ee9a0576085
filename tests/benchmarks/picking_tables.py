"""The pickers' table: precision, recall and F1 at the default threshold and at the best one, beside chance."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from tests.benchmarks.picking_pickers import LOWEST_SCORE, Picked, SetPicker, laplacian
from tests.benchmarks.picking_sets import Micrograph, PickingSet
from warpcore.kernels.picking._peaks import thinned

DEFAULT_THRESHOLD = 0.5
SURE = 0.9
_CHANCE_DRAWS = 10
_THRESHOLDS = 60
_SIGMAS = (0.15, 0.2, 0.25, 0.3, 0.35)  # in diameters


class Counts(NamedTuple):
    """True, false and missed picks."""

    true: float
    false: float
    missed: float

    @property
    def precision(self) -> float:
        """Share of picks that are true; 0 without picks."""
        return self.true / max(self.true + self.false, 1)

    @property
    def recall(self) -> float:
        """Share of labels that are picked."""
        return self.true / max(self.true + self.missed, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.true / max(2 * self.true + self.false + self.missed, 1)

    def __str__(self) -> str:
        return f"{self.precision:.3f} {self.recall:.3f} {self.f1:.3f}"


class Row(NamedTuple):
    """A row of the table: one picker on one set."""

    picker: str
    chosen: PickingSet
    picked: list[Picked]
    default: Counts
    best_f1: float
    best_threshold: float
    chance: Counts
    sure: Counts
    seconds: float


def inner(xy: np.ndarray, one: Micrograph, margin_px: float) -> np.ndarray:
    """Which positions [N, 2] (x, y in px) lie at least the margin within the image (bool)."""
    height, width = one.image.shape
    return np.asarray((xy >= margin_px).all(axis=1) & (xy[:, 0] < width - margin_px) & (xy[:, 1] < height - margin_px))


def partners(picked_xy: np.ndarray, truth_xy: np.ndarray, radius_px: float) -> np.ndarray:
    """Index of the label that each pick [N, 2] matches, -1 for none: nearest pairs within the radius first."""
    partner = np.full(len(picked_xy), -1)
    if not len(picked_xy) or not len(truth_xy):
        return partner
    near = cKDTree(picked_xy).sparse_distance_matrix(cKDTree(truth_xy), radius_px, output_type="ndarray")
    taken = np.zeros(len(truth_xy), bool)
    for pick, truth, _ in near[np.lexsort((near["j"], near["i"], near["v"]))]:
        if partner[pick] < 0 and not taken[truth]:
            partner[pick], taken[truth] = truth, True
    return partner


def verdicts(picked_xy: np.ndarray, one: Micrograph, radius_px: float, margin_px: float) -> np.ndarray:
    """Of each pick [N, 2]: 1 true, 0 false, -1 neither (near the edge, or on a label that is not certain)."""
    partner = partners(picked_xy, np.concatenate([one.truth_xy, one.uncertain_xy]), radius_px)
    verdict = np.where(partner < 0, 0, np.where(partner < len(one.truth_xy), 1, -1))
    return np.where(inner(picked_xy, one, margin_px), verdict, -1)


def matches(picked_xy: np.ndarray, one: Micrograph, radius_px: float, margin_px: float) -> Counts:
    """True, false and missed picks of one micrograph; edges and uncertain labels count on neither side."""
    verdict = verdicts(picked_xy, one, radius_px, margin_px)
    partner = partners(picked_xy, np.concatenate([one.truth_xy, one.uncertain_xy]), radius_px)
    missed = np.setdiff1d(np.flatnonzero(inner(one.truth_xy, one, margin_px)), partner)
    return Counts(int((verdict == 1).sum()), int((verdict == 0).sum()), len(missed))


def counts(picked: Iterable[Picked], chosen: PickingSet, threshold: float) -> Counts:
    """Over all micrographs of a set, picks with at least the threshold."""
    radius, margin = (n / chosen.pixel_size_angstrom for n in (chosen.match_angstrom, chosen.margin_angstrom))
    every = [
        matches(one.xy[one.scores >= threshold], micrograph, radius, margin)
        for one, micrograph in zip(picked, chosen.data, strict=True)
    ]
    return Counts(*(float(n) for n in np.sum(every, axis=0)))


def best(picked: list[Picked], chosen: PickingSet) -> tuple[float, float]:
    """Best F1 over thresholds and the threshold: the default one and 60 that are even in the number of picks."""
    scores = np.concatenate([one.scores for one in picked])
    scores = np.append(scores[scores >= LOWEST_SCORE], DEFAULT_THRESHOLD)
    levels = np.unique(np.quantile(scores, np.linspace(0, 1, _THRESHOLDS), method="lower"))
    levels = np.append(levels, DEFAULT_THRESHOLD)
    return max((counts(picked, chosen, float(level)).f1, float(level)) for level in levels)


def chance(picked: list[Picked], chosen: PickingSet, threshold: float) -> Counts:
    """What as many picks find at random places 0.75 diameters apart: means over draws of a fixed seed."""
    apart = 0.75 * chosen.diameter_angstrom / chosen.pixel_size_angstrom
    rng = np.random.default_rng(17)
    total = np.zeros(3)
    for _ in range(_CHANCE_DRAWS):
        random = []
        for one, micrograph in zip(picked, chosen.data, strict=True):
            number = int((one.scores >= threshold).sum())
            places = rng.uniform(0, micrograph.image.shape[::-1], (20 * number, 2))
            places = places[thinned(places[:, 1], places[:, 0], apart)][:number]
            random.append(Picked(places, np.ones(len(places))))
        total += counts(random, chosen, 0.5)
    return Counts(*(total / _CHANCE_DRAWS))


def measured(name: str, picker: SetPicker, chosen: PickingSet) -> Row:
    """A picker on a set; the time is that of a micrograph once the picker is compiled."""
    picker(chosen._replace(data=chosen.data[:1]))
    began = time.perf_counter()
    picked = picker(chosen)
    seconds = (time.perf_counter() - began) / len(chosen.data)
    return Row(
        name,
        chosen,
        picked,
        counts(picked, chosen, DEFAULT_THRESHOLD),
        *best(picked, chosen),
        chance(picked, chosen, DEFAULT_THRESHOLD),
        counts(picked, chosen, SURE),
        seconds,
    )


def heading() -> str:
    """The table's first lines, as Markdown."""
    columns = ("picker", "P R F1 at 0.5", "chance P R F1", "best F1 (at)", "P at ≥ 0.9 (picks)", "s a micrograph")
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def line(row: Row) -> str:
    """A row as Markdown."""
    sure = f"{row.sure.precision:.3f} ({row.sure.true + row.sure.false:.0f})"
    best_cell = f"{row.best_f1:.3f} ({row.best_threshold:.2f})"
    return f"| {row.picker} | {row.default} | {row.chance} | {best_cell} | {sure} | {row.seconds:.3f} |"


def title(chosen: PickingSet) -> str:
    """What a set is, in a line."""
    number = sum(len(one.truth_xy) for one in chosen.data)
    return (
        f"\n{chosen.name}: {len(chosen.data)} micrographs, {number} labels ({chosen.labels}); diameter "
        f"{chosen.diameter_angstrom:g} Å, match {chosen.match_angstrom:g} Å, margin {chosen.margin_angstrom:g} Å"
    )


def laplacian_at_its_best(chosen: PickingSet) -> str:
    """The row of the Laplacian of Gaussian with the sigma and level that suit this set best: an upper bound."""
    bounds = [(best(laplacian(1.0, sigma)(chosen), chosen), sigma) for sigma in _SIGMAS]
    (f1, score), sigma = max(bounds)
    level = score / (1 - score)
    return f"| Laplacian, sigma {sigma:g} and level {level:.2f} best for this set | – | – | {f1:.3f} | – | – |"
