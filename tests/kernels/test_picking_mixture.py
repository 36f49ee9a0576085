"""Scores as probabilities: the mixture over peaks' heights against drawn truth, and what follows from scores alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from warpcore.kernels.picking import junk_mask, pick_blobs
from warpcore.kernels.picking._mixture import Heights, fit_mixture, probabilities_at, tempered
from warpcore.kernels.picking._peaks import find_peaks
from warpcore.kernels.picking._picks import least_score
from warpcore.kernels.simulate._scenes import random_scene


def noise_heights(rng: np.random.Generator, number: int) -> np.ndarray:
    """Heights of at least this many peaks of smooth Gaussian noise, in its deviations."""
    field = scipy.ndimage.gaussian_filter(rng.normal(size=(900, 900)), 3.0)
    values = find_peaks(field / field.std(), 0.0, 12.0).value
    return rng.permutation(values)[:number]


def drawn(seed: int, particles: int, others: int, mean: float) -> tuple[Heights, np.ndarray]:
    """Peaks of which some are particles of this mean height, and which they are."""
    rng = np.random.default_rng(seed)
    heights = np.concatenate([rng.normal(mean, 0.5 + 0.1 * mean, particles), noise_heights(rng, others)])
    simulated = noise_heights(rng, 2 * others)
    return Heights(heights, noise_heights(rng, others), simulated, 1.0, 1.0, 0.0), np.arange(len(heights)) < particles


@pytest.mark.parametrize(("particles", "others", "mean"), [(150, 700, 4.0), (400, 400, 4.5), (30, 1000, 5.0)])
def test_scores_are_right_as_often_as_they_say(particles: int, others: int, mean: float) -> None:
    all_scores, all_true = [], []
    for seed in range(4):
        heights, true = drawn(100 + seed, particles, others, mean)
        mixture = fit_mixture(heights)
        assert mixture.certainty > 0.95
        all_scores.append(probabilities_at(mixture, heights.image))
        all_true.append(true)
    scores, true = np.concatenate(all_scores), np.concatenate(all_true)
    assert scores.sum() == pytest.approx(4 * particles, rel=0.4)  # measured 741, 1563 and 157 of 600, 1600 and 120
    for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.0)):
        some = (scores >= low) & (scores <= high)
        assert true[some].mean() == pytest.approx(scores[some].mean(), abs=0.15)  # measured 0.11 at most


def test_a_higher_peak_never_has_a_lower_score() -> None:
    for seed, mean in ((2, 4.0), (3, 6.0), (4, 20.0)):
        heights, _ = drawn(seed, 100, 500, mean)
        scores = probabilities_at(fit_mixture(heights), np.linspace(0, 30, 500))
        assert (np.diff(scores) >= 0).all()
        assert scores[0] < 0.05
        assert scores[-1] > 0.99


def test_noise_alone_has_no_particles_whatever_its_scale() -> None:
    for seed, scale in ((5, 1.0), (6, 0.9), (7, 1.15)):
        heights, _ = drawn(seed, 0, 900, 1.0)
        scaled = heights._replace(image=scale * heights.image, inverted=scale * heights.inverted)
        mixture = fit_mixture(scaled)
        assert mixture.certainty < 0.01
        assert probabilities_at(mixture, scaled.image).max() < 0.01


def test_what_the_inverted_image_shows_as_well_is_no_particle() -> None:
    heights, _ = drawn(8, 0, 900, 1.0)
    rng = np.random.default_rng(8)
    rough = [np.where(rng.random(len(one)) < 0.4, 1.8, 0.8) * one for one in (heights.image, heights.inverted)]
    assert fit_mixture(heights._replace(image=rough[0], inverted=rough[1])).certainty < 0.01
    assert fit_mixture(heights._replace(image=rough[0])).certainty > 0.99


def test_few_peaks_leave_the_score_uncertain() -> None:
    three, _ = drawn(9, 3, 12, 3.2)
    many, _ = drawn(9, 300, 1200, 3.2)
    assert probabilities_at(fit_mixture(three), np.array([3.2]))[0] < 0.5
    assert probabilities_at(fit_mixture(many), np.array([3.2]))[0] > 0.5


def test_without_peaks_there_is_nothing() -> None:
    none = np.zeros(0)
    mixture = fit_mixture(Heights(none, none, none, 1.0, 1.0, 0.0))
    assert mixture.certainty == 0
    assert len(probabilities_at(mixture, none)) == 0


def test_the_least_score_keeps_as_many_as_the_fraction_of_false_ones_allows() -> None:
    scores = np.array([0.6, 0.99, 0.9, 0.2, 0.8])
    assert least_score(scores, 0.01) == 0.99
    assert least_score(scores, 0.06) == 0.9
    assert least_score(scores, 0.2) == 0.6
    assert least_score(scores, 1.0) == 0.2
    assert least_score(scores, 0.001) > 1
    assert least_score(np.zeros(0), 0.5) > 1
    kept = scores[scores >= least_score(scores, 0.15)]
    assert (1 - kept).mean() <= 0.15


def test_scenes_without_particles_give_no_picks() -> None:
    """Ice of many kinds, with slopes, films, broken particles and contamination."""
    scenes = (random_scene(np.random.default_rng([987654, number]), 256) for number in range(40))
    counts = []
    for scene, _ in zip((one for one in scenes if not len(one.centres_yx)), range(6), strict=False):
        given = {"pixel_size_angstrom": scene.pixel_size_angstrom, "diameter_angstrom": scene.diameter_angstrom}
        valid = junk_mask(scene.image, **given).valid((256, 256))
        counts.append(len(pick_blobs(scene.image, valid=valid, **given).x_px))
    assert sum(counts) == 0


def test_the_inverted_image_lowers_scores_where_it_has_as_many_peaks_and_never_raises_any() -> None:
    random = np.random.default_rng(8)
    noise, particles = np.abs(random.normal(1.5, 0.7, 400)), random.normal(7, 0.8, 100)
    heights = np.sort(np.concatenate([noise, particles]))[::-1]
    given = np.clip((heights - 0.5) / 5, 0.01, 0.99)  # too sure of noise
    inverted = np.abs(random.normal(1.5, 0.7, 400))
    found = tempered(given, heights, inverted)
    assert (found <= given).all()
    assert (np.diff(found) <= 1e-12).all(), "higher peaks never have less"
    middle = (heights > 1.5) & (heights < 3)
    assert found[middle].mean() < 0.75 * given[middle].mean()
    sure = heights > 6
    np.testing.assert_allclose(found[sure], given[sure], atol=0.02)


def test_without_an_inverted_image_scores_stay() -> None:
    given, heights = np.array([0.9, 0.2]), np.array([6.0, 2.0])
    np.testing.assert_array_equal(tempered(given, heights, np.zeros(0)), given)
    assert tempered(np.zeros(0), np.zeros(0), np.array([1.0])).size == 0
