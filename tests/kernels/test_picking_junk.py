"""The junk mask and the overlay, on scenes whose junk is known."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from warpcore.kernels.picking_junk import junk_mask
from warpcore.kernels.picking_overlay import picks_overlay, score_colours

N, PIXEL = 300, 8.0


def ice(seed: int, tilt: float = 0.0) -> np.ndarray:
    """Ice with disc-like particles of 130 Å, its thickness tilted across the micrograph."""
    rng = np.random.default_rng(seed)
    x = np.arange(N)[None]
    spots = np.zeros((N, N))
    spots[tuple(rng.integers(0, N, (2, 80)))] = 1
    particles = scipy.ndimage.gaussian_filter(spots, 5) / scipy.ndimage.gaussian_filter(np.eye(1, 41, 20), 5).max() / 10
    return np.asarray(1 + tilt * x / N - particles + rng.normal(0, 0.03, (N, N)))


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
    # The circle of 30 px radius, halved: 15 px right of the pick, which lies at half its coordinates less a quarter pixel.
    np.testing.assert_allclose(picture[100, 49 + 15 + 1], best, atol=90)
    assert picture[100, 65, 1] > picture[100, 65, 0]  # green
    assert picture[30, 265, 0] > picture[30, 265, 1]  # magenta
    plain = picture[180, 280].astype(int)  # junk: the lower right quarter
    assert plain[0] >= plain[1]
