"""The junk mask and the overlay, on scenes whose junk is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from warpcore.kernels.picking._junk import junk_mask
from warpcore.kernels.picking._overlay import picks_overlay, score_colours

N, PIXEL = 300, 8.0


def ice(seed: int, tilt: float = 0.0) -> np.ndarray:
    """Ice with disc-like particles of 130 Å, its thickness tilted across the micrograph."""
    rng = np.random.default_rng(seed)
    x = np.arange(N)[None]
    spots = np.zeros((N, N))
    spots[tuple(rng.integers(0, N, (2, 80)))] = 1
    particles = scipy.ndimage.gaussian_filter(spots, 5) / scipy.ndimage.gaussian_filter(np.eye(1, 41, 20), 5).max() / 10
    structure = scipy.ndimage.gaussian_filter(rng.normal(size=(N, N)), 1.5)  # ice is no white noise
    return np.asarray(1 + tilt * x / N - particles + 0.015 * structure / structure.std() + rng.normal(0, 0.03, (N, N)))


def test_clean_ice_has_no_junk_even_where_its_thickness_changes() -> None:
    for seed, tilt in ((1, 0.0), (2, 0.1), (3, -0.2)):
        assert junk_mask(ice(seed, tilt), pixel_size_angstrom=PIXEL, diameter_angstrom=130).percent < 1


def test_a_film_and_a_crystal_are_masked_and_little_else() -> None:
    y, x = np.mgrid[0:N, 0:N]
    film, crystal = x + 0.3 * y > 290, np.hypot(x - 80, y - 200) < 30
    image = ice(4, 0.05)
    rng = np.random.default_rng(5)
    image = np.where(film, 0.75 * image + scipy.ndimage.gaussian_filter(rng.normal(0, 0.2, (N, N)), 1), image)
    image = np.where(crystal, 0.5 * image, image)
    found = junk_mask(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130)
    valid = found.valid((N, N))
    truth = film | crystal
    assert (valid & truth).sum() < 0.02 * truth.sum()  # measured 0.002
    beyond = scipy.ndimage.distance_transform_edt(~truth) > 250 / PIXEL
    assert (~valid & beyond).sum() < 0.01 * beyond.sum()  # it reaches about 170 Å beyond what is junk
    assert abs(found.percent - 100 * (~valid).mean()) < 1


@pytest.mark.parametrize("share", [0.25, 0.6, 0.85])
def test_a_film_is_the_darker_part_even_where_it_is_most_of_the_micrograph(share: float) -> None:
    for seed in (11, 12):
        y, x = np.mgrid[0:N, 0:N]
        along = x + 0.4 * y + 0.001 * (y - N / 2) ** 2
        film = along > np.quantile(along, 1 - share)
        grain = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 0.1, (N, N)), 1)
        image = np.where(film, 0.8 * ice(seed, 0.05) + grain, ice(seed, 0.05))
        found = junk_mask(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130)
        masked = ~found.valid((N, N))
        assert masked[film].mean() > 0.99  # measured 1.000
        beyond = scipy.ndimage.distance_transform_edt(~film) > 250 / PIXEL
        assert masked[beyond].mean() < 0.01  # measured 0
        assert found.percent == pytest.approx(100 * share, abs=8)


def test_a_hole_in_the_ice_is_junk_and_is_not_taken_for_ice() -> None:
    y, x = np.mgrid[0:N, 0:N]
    hole = np.hypot(x - 120, y - 170) < 70
    image = np.where(hole, 1.25 + np.random.default_rng(3).normal(0, 0.03, (N, N)), ice(13))
    masked = ~junk_mask(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130).valid((N, N))
    assert masked[hole].mean() > 0.99
    assert masked[np.hypot(x - 120, y - 170) > 100].mean() < 0.01


def test_gold_is_masked_though_it_is_no_larger_than_a_particle() -> None:
    rng = np.random.default_rng(14)
    y, x = np.mgrid[0 : 2 * N, 0 : 2 * N]
    fine = np.kron(ice(14), np.ones((2, 2))) + rng.normal(0, 0.1, (2 * N, 2 * N))  # noise as of 40 e⁻/Å² at 4 Å px
    beads = np.zeros(fine.shape, bool)
    for cy, cx in rng.uniform(40, 2 * N - 40, (12, 2)):
        beads |= np.hypot(y - cy, x - cx) < 12  # 100 Å across
    image = 60 * np.where(beads, 0.25 * fine, fine)
    found = junk_mask(image, pixel_size_angstrom=PIXEL / 2, diameter_angstrom=130)
    masked = ~found.valid(image.shape)
    assert masked[beads].mean() > 0.95  # measured 1.00
    assert masked[scipy.ndimage.distance_transform_edt(~beads) > 25].mean() < 0.01
    # The same picture with its levels stretched, so that 0 is no electron count, has no opaque parts to be sure of.
    stretched = junk_mask(image + 1000, pixel_size_angstrom=PIXEL / 2, diameter_angstrom=130)
    assert stretched.percent < found.percent


def test_a_dark_particle_is_no_junk() -> None:
    y, x = np.mgrid[0:N, 0:N]
    image = ice(6) - 0.3 * (np.hypot(x - 150, y - 150) < 7)
    assert junk_mask(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130).percent == 0


def test_equal_images_have_equal_masks_and_a_blank_has_none() -> None:
    np.testing.assert_array_equal(
        junk_mask(ice(7), pixel_size_angstrom=PIXEL).mask, junk_mask(ice(7), pixel_size_angstrom=PIXEL).mask
    )
    assert junk_mask(np.ones((200, 220), np.float32), pixel_size_angstrom=5.0).percent == 0


def test_circles_are_drawn_around_picks_in_their_scores_colour() -> None:
    image = np.random.default_rng(0).normal(size=(400, 600))
    picture = picks_overlay(
        image,
        np.array([100.0, 500.0]),
        np.array([200.0, 60.0]),
        np.array([0.9, 0.5]),
        diameter_px=60,
        longest_px=300,
        junk=np.eye(2, dtype=bool),
    )
    assert picture.shape == (200, 300, 3)
    best = score_colours(np.array([0.9]), (0.5, 0.7))[0]
    # The circle of 30 px radius, halved: 15 px right of the pick, which lies at half its coordinates less a quarter
    # pixel.
    np.testing.assert_allclose(picture[100, 49 + 15 + 1], best, atol=90)
    assert picture[100, 65, 1] > picture[100, 65, 0]  # green
    assert picture[30, 265, 0] > picture[30, 265, 1]  # magenta
    plain = picture[180, 280].astype(int)  # junk: the lower right quarter
    assert plain[0] >= plain[1]
