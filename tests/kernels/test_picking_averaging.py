"""Class averages and session templates against views, places and probabilities that are known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from warpcore.kernels.picking import pick_templates
from warpcore.kernels.picking._averaging import ClassAverages, class_averages
from warpcore.kernels.picking._session_templates import HeldBack, expected_gain, session_templates, templates_help
from warpcore.kernels.picking._shapes import Contrast

SIZE, DIAMETER = 28, 18.0
# Lobes of two views: x, y, radius in px of a box, from its centre.
VIEWS = (((-5.0, 0.0, 2.2), (4.0, 3.5, 2.0), (4.5, -4.0, 1.4)), ((-6.0, 0.0, 1.8), (0.0, 0.0, 1.8), (6.0, 0.0, 1.8)))
DISC = (((0.0, 0.0, 4.0),),)
NOISE = 0.5


def drawn(
    lobes: tuple[tuple[float, float, float], ...], turn: float, at: tuple[float, float], size: int = SIZE
) -> np.ndarray:
    """A view of height 1 turned (radians) about (y, x) in px."""
    y, x = np.mgrid[0:size, 0:size] - np.array(at)[:, None, None]
    image = np.zeros((size, size))
    for lx, ly, radius in lobes:
        px, py = lx * np.cos(turn) - ly * np.sin(turn), lx * np.sin(turn) + ly * np.cos(turn)
        image += np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2))
    return image


def noise(count: int, seed: int) -> np.ndarray:
    """Boxes of noise that has twice the amplitude at low frequencies, deviation 1."""
    white = np.random.default_rng(seed).normal(size=(count, SIZE, SIZE))
    coloured = white + 2 * scipy.ndimage.gaussian_filter(white, (0, 1.5, 1.5), mode="wrap")
    return np.asarray(coloured / coloured.std())


def scene(views: tuple[tuple[tuple[float, float, float], ...], ...], count: int, seed: int) -> np.ndarray:
    """Boxes of the views in turns, at any angle and up to 1.5 px off the centre, under noise."""
    rng = np.random.default_rng(seed)
    clean = [
        drawn(views[n % len(views)], rng.uniform(0, 2 * np.pi), tuple(SIZE // 2 + rng.uniform(-1.5, 1.5, 2)))
        for n in range(count)
    ]
    return np.asarray(clean + NOISE * noise(count, seed + 1))


def likeness(average: np.ndarray, view: tuple[tuple[float, float, float], ...]) -> float:
    """Best correlation of an average with a view over turns and shifts, within the particle."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] - SIZE // 2
    inside = np.hypot(y, x) < 0.6 * DIAMETER
    steps = [(SIZE // 2 + dy, SIZE // 2 + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    turns = np.radians(np.arange(0, 360, 5))
    return max(float(np.corrcoef(average[inside], drawn(view, t, at)[inside])[0, 1]) for t in turns for at in steps)


@pytest.fixture(scope="module")
def found() -> ClassAverages:
    return class_averages(scene(VIEWS, 300, 3), DIAMETER)


def test_both_views_are_found_again(found: ClassAverages) -> None:
    table = np.array([[likeness(average, view) for view in VIEWS] for average in found.images])
    assert (table.max(axis=0) > 0.93).all()  # measured 0.983 and 0.959; 0.62 for an average that is round
    assert set(table[:2].argmax(axis=1)) == {0, 1}  # one view each in the two largest, of 134 and 129 boxes
    assert found.members.sum() == pytest.approx(300, abs=2)
    assert (np.diff(found.members) <= 0).all()


def test_the_same_boxes_give_the_same_bytes_whatever_the_rounding(found: ClassAverages) -> None:
    boxes = scene(VIEWS, 300, 3)
    # As another number of threads does, which changes the order of sums.
    again = class_averages(boxes * (1 + 1e-15 * np.random.default_rng(1).normal(size=boxes.shape)), DIAMETER)
    assert again.images.tobytes() == found.images.tobytes()
    assert again.members.tobytes() == found.members.tobytes()


@pytest.mark.parametrize("seed", range(2))
def test_noise_keeps_no_class(seed: int) -> None:
    assert len(class_averages(noise(300, 100 + seed), DIAMETER).images) == 0


def test_round_particles_stay_round() -> None:
    averages = class_averages(scene(DISC, 300, 5), DIAMETER).images
    y, x = np.mgrid[0:SIZE, 0:SIZE] - SIZE // 2
    ring = np.round(np.hypot(y, x)).astype(int)
    inside = ring < 0.5 * DIAMETER
    assert len(averages) == 1
    radial = (np.bincount(ring.ravel(), averages[0].ravel()) / np.bincount(ring.ravel()))[ring]
    assert likeness(averages[0], DISC[0]) > 0.995  # measured 0.9998
    uneven = np.var((averages[0] - radial)[inside]) / np.var(averages[0][inside])
    assert uneven < 0.03  # measured 0.012: noise is not turned until it fits


def test_too_few_boxes_give_nothing() -> None:
    assert len(class_averages(scene(VIEWS, 20, 1), DIAMETER).images) == 0


@pytest.mark.parametrize(
    ("boxes", "diameter", "reason"),
    [
        (np.zeros((30, 28, 26)), 18.0, "square"),
        (np.full((30, 28, 28), np.nan), 18.0, "non-finite"),
        (np.zeros((30, 20, 20)), 18.0, "diameter"),
    ],
)
def test_boxes_that_cannot_be_are_refused(boxes: np.ndarray, diameter: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        class_averages(boxes, diameter)


def micrograph(seed: int, sign: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """An image of 480² px of 64 objects, dark for sign -1, under noise, and their places [64, 2] (x, y in px)."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(np.arange(36, 470, 58.0), np.arange(36, 470, 58.0)), -1).reshape(-1, 2)
    places = places + rng.uniform(-8, 8, places.shape)
    image = rng.normal(0, 1.0, (480, 480))
    for x, y in places:
        box = drawn(
            tuple((2 * a, 2 * b, 2 * r) for a, b, r in VIEWS[0]), rng.uniform(0, 6.3), (30 + y % 1, 30 + x % 1), 60
        )
        top, left = int(y) - 30, int(x) - 30
        rows, columns = (slice(max(n, 0), min(n + 60, 480)) for n in (top, left))
        image[rows, columns] += (
            sign * box[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        )
    return image.astype(np.float32), places


@pytest.mark.parametrize("contrast", ["dark", "bright"])
def test_templates_from_two_micrographs_find_the_particles_of_a_third(contrast: Contrast) -> None:
    sign = -1.0 if contrast == "dark" else 1.0
    built = session_templates(
        [(im, 4.0, xy) for im, xy in (micrograph(n, sign) for n in (1, 2))], 144, contrast=contrast
    )
    assert built.pixel_size_angstrom == pytest.approx(8.0)
    assert likeness(built.images[0], VIEWS[0]) > 0.95  # measured 0.987
    image, places = micrograph(3, sign)
    picks = pick_templates(
        image,
        built.images,
        template_pixel_size_angstrom=built.pixel_size_angstrom,
        pixel_size_angstrom=4.0,
        diameter_angstrom=144,
        contrast=contrast,
    )
    distance = np.hypot(picks.x_px[:, None] - places[:, 0], picks.y_px[:, None] - places[:, 1])
    assert (distance.min(axis=0) < 9).mean() > 0.95  # px, a quarter of the diameter; measured all, 0.6 px off (median)
    assert len(picks.x_px) <= 1.05 * len(places)  # measured 65 picks of 64 places


def test_without_picks_there_are_no_templates() -> None:
    assert len(session_templates([], 144).images) == 0
    assert len(session_templates([(micrograph(1)[0], 4.0, np.zeros((0, 2)))], 144).images) == 0


def test_the_expected_gain_counts_neither_side_lobes_nor_doubtful_picks() -> None:
    x, y, scores = np.array([10.0, 50.0, 16.0, 90.0, 130.0]), np.zeros(5), np.array([0.95, 0.9, 0.8, 0.6, 0.3])
    assert expected_gain(x, y, scores, 20.0) == pytest.approx(0.9 + 0.8 + 0.2)  # the third lies 6 px from the first
    assert expected_gain(x, y, scores, 4.0) == pytest.approx(0.9 + 0.8 + 0.6 + 0.2)


def held_back(gains: np.ndarray, noise_picks: int = 0) -> list[HeldBack]:
    return [HeldBack(float(gain), noise_picks) for gain in gains]


def test_equal_methods_pass_once_in_twenty_and_a_better_one_passes() -> None:
    rng = np.random.default_rng(2)
    pairs = rng.normal(100, 8, (2000, 2, 5))
    equal = np.mean([templates_help(held_back(one), held_back(two)).helps for one, two in pairs])
    assert 0.03 < equal < 0.07  # measured 0.054
    better = np.mean([templates_help(held_back(one), held_back(two + 20)).helps for one, two in pairs])
    assert better > 0.9  # measured 0.938: 20 picks at a scatter of 8


def test_templates_that_pick_noise_or_were_held_against_one_micrograph_do_not_help() -> None:
    base, good = np.array([100.0, 90.0, 110.0]), np.array([130.0, 121.0, 139.0])
    assert templates_help(held_back(base, 1), held_back(good, 1)).helps
    assert not templates_help(held_back(base, 0), held_back(good, 1)).helps
    assert not templates_help(held_back(base[:1]), held_back(good[:1])).helps
    with pytest.raises(ValueError):
        templates_help(held_back(base), held_back(good[:2]))
