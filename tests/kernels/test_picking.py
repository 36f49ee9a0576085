"""Blob picking against simulated truth, and on the real micrographs where they are present."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import imagecodecs
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from warpcore.cli.structures import load_structure
from warpcore.kernels.ctf._parameters import CtfParameters
from warpcore.kernels.picking import Picks, agreed, blob_trials, pick_blobs
from warpcore.kernels.picking._particles import extract_particles
from warpcore.kernels.picking._peaks import find_peaks, thinned
from warpcore.kernels.simulate._frames import contrast_spectrum
from warpcore.kernels.simulate._specimen import ice_spectrum, particle_spectrum

PIXEL, SIZE = 2.7, 512
CTF = CtfParameters(15200.0, 14800.0, 30.0)
COMMON: dict[str, Any] = {"pixel_size_angstrom": PIXEL, "diameter_angstrom": 130.0, "ctf": CTF}


def micrograph(seed: int, centres_yx: np.ndarray, dose: float = 30.0) -> np.ndarray:
    """Counts [512, 512] of apoferritin at the centres in 300 Å of ice."""
    structure = load_structure()
    phase = ice_spectrum(
        jax.random.key(seed), shape=(SIZE, SIZE), pixel_size_angstrom=PIXEL, thickness_angstrom=300, voltage_kv=300
    )
    if len(centres_yx):
        phase = phase + particle_spectrum(
            structure.positions_angstrom,
            structure.elements,
            Rotation.random(len(centres_yx), rng=np.random.default_rng(seed)).as_matrix(),
            centres_yx,
            shape=(SIZE, SIZE),
            pixel_size_angstrom=PIXEL,
            voltage_kv=300,
        )
    spectrum = contrast_spectrum(phase, CTF, shape=(SIZE, SIZE), pixel_size_angstrom=PIXEL, b_factor_a2=60)
    expected = dose * PIXEL**2 * (1 + np.asarray(jnp.fft.irfft2(spectrum, s=(SIZE, SIZE))))
    return np.random.default_rng(seed).poisson(np.maximum(expected, 0)).astype(np.float32)


GRID = np.stack(np.meshgrid(np.arange(40.3, 480, 61.7), np.arange(45.8, 480, 59.2), indexing="ij"), -1).reshape(-1, 2)
CENTRES = GRID + np.random.default_rng(9).uniform(-3, 3, GRID.shape)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return micrograph(1, CENTRES)


def nearest(x: np.ndarray, y: np.ndarray, centres_yx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in px of each pick to its nearest centre, and of each centre to its nearest pick."""
    distance = np.hypot(x[:, None] - centres_yx[None, :, 1], y[:, None] - centres_yx[None, :, 0])
    return distance.min(axis=1), distance.min(axis=0)


def scattered(seed: int, number: int, apart: float) -> np.ndarray:
    """Random centres [number, 2] at least so many px apart."""
    rng, centres = np.random.default_rng(seed), np.empty((0, 2))
    while len(centres) < number:
        place = rng.uniform(10, SIZE - 10, 2)
        if not len(centres) or np.hypot(*(centres - place).T).min() > apart:
            centres = np.vstack([centres, place])
    return centres


def test_every_particle_is_found_between_the_pixels_and_nothing_else(image: np.ndarray) -> None:
    picks = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF)
    of_pick, of_centre = nearest(picks.x_px, picks.y_px, CENTRES)
    assert len(picks.x_px) == len(CENTRES)
    assert of_centre.max() < 1.5  # px of 2.7 Å; measured 0.9, and 0.36 in the mean
    assert np.sqrt(np.mean(of_pick**2)) < 0.7
    assert (np.diff(picks.scores) <= 0).all()


def test_positions_have_no_bias(image: np.ndarray) -> None:
    picks = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF)
    near = np.argmin(np.hypot(picks.x_px[:, None] - CENTRES[:, 1], picks.y_px[:, None] - CENTRES[:, 0]), axis=1)
    bias = (picks.x_px - CENTRES[near, 1]).mean(), (picks.y_px - CENTRES[near, 0]).mean()
    assert np.abs(bias).max() < 0.2  # px; 0.36 px of scatter over 64 picks is 0.05


def test_ice_without_particles_gives_hardly_a_pick() -> None:
    counts = [
        len(pick_blobs(micrograph(seed, GRID[:0]), pixel_size_angstrom=PIXEL, diameter_angstrom=d, ctf=CTF).x_px)
        for seed in (3, 4)
        for d in (100, 130, 220)
    ]
    assert sum(counts) == 0


def test_bright_particles_are_found_as_bright(image: np.ndarray) -> None:
    bright = pick_blobs(-image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF, contrast="bright")
    dark = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF)
    np.testing.assert_allclose(bright.x_px, dark.x_px, atol=0.05)


def test_scale_and_offset_of_the_image_do_not_matter(image: np.ndarray) -> None:
    plain = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130)
    scaled = pick_blobs(-3e4 + 1e3 * image, pixel_size_angstrom=PIXEL, diameter_angstrom=130)
    np.testing.assert_allclose(plain.scores, scaled.scores, atol=1e-3)


def test_a_higher_threshold_keeps_the_best_of_the_same() -> None:
    image = micrograph(20, CENTRES, dose=4.0)
    low = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF, threshold=0.01)
    high = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF, threshold=0.9)
    assert len(high.x_px) < len(low.x_px)
    np.testing.assert_array_equal(high.x_px, low.x_px[: len(high.x_px)])


def test_the_same_micrograph_gives_the_same_bytes(image: np.ndarray) -> None:
    first, second = (pick_blobs(image.copy(), **COMMON) for _ in range(2))
    assert all(
        np.asarray(one).tobytes() == np.asarray(other).tobytes() for one, other in zip(first, second, strict=True)
    )


def test_particles_that_touch_are_found_each() -> None:
    crowd = np.stack(np.meshgrid(np.arange(30, 490, 46.0), np.arange(30, 490, 46.0), indexing="ij"), -1).reshape(-1, 2)
    crowd = crowd + np.random.default_rng(8).uniform(-2, 2, crowd.shape)  # 124 Å apart at a diameter of 130 Å
    picks = pick_blobs(micrograph(6, crowd), **COMMON)
    of_pick, of_centre = nearest(picks.x_px, picks.y_px, crowd)
    assert (of_centre < 5).mean() == 1
    assert (of_pick > 10).sum() <= 2  # measured 0 of 100


def test_a_slope_of_the_ice_gives_no_picks_at_the_border() -> None:
    ice = micrograph(3, GRID[:0]) * np.linspace(0.6, 1.2, SIZE, dtype=np.float32)[None]
    assert len(pick_blobs(ice, **COMMON).x_px) == 0


def test_film_over_half_of_the_ice_gives_no_picks() -> None:
    rough = np.random.default_rng(4).normal(0, 12, (SIZE, SIZE)) * (np.arange(SIZE) < 230)[None]
    assert len(pick_blobs((micrograph(3, GRID[:0]) + rough).astype(np.float32), **COMMON).x_px) == 0


def test_picks_keep_their_distance_and_junk_is_left_out(image: np.ndarray) -> None:
    sparse = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF, minimum_distance_angstrom=250)
    apart = np.hypot(sparse.x_px[:, None] - sparse.x_px, sparse.y_px[:, None] - sparse.y_px) * PIXEL
    assert apart[np.triu_indices(len(apart), 1)].min() >= 250 - PIXEL
    valid = np.ones(image.shape, bool)
    valid[:, :256] = False
    right = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF, valid=valid)
    assert right.x_px.min() > 240
    assert len(right.x_px) >= (CENTRES[:, 1] > 270).sum()


def test_outliers_and_non_finite_pixels_change_nothing(image: np.ndarray) -> None:
    spoilt = image.copy()
    spoilt[100, 200], spoilt[5, 5], spoilt[300, 301], spoilt[17, 400] = np.nan, np.inf, 1e8, -1e8
    plain = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF)
    same = pick_blobs(spoilt, pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF)
    assert len(same.x_px) == len(plain.x_px)
    np.testing.assert_allclose(np.sort(same.x_px), np.sort(plain.x_px), atol=0.1)


def test_a_blank_micrograph_has_no_picks() -> None:
    blank = np.full((256, 300), 5.0, np.float32)
    assert len(pick_blobs(blank, pixel_size_angstrom=2.0, diameter_angstrom=100).x_px) == 0


def test_elongated_particles_are_matched_by_aspect() -> None:
    rng, centres = np.random.default_rng(5), GRID[::2]
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    image = rng.normal(0, 1.0, (SIZE, SIZE)).astype(np.float32)
    for cy, cx in centres:
        turn = rng.uniform(0, np.pi)
        along, across = (
            (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn),
            (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn),
        )
        image -= 0.8 * np.sqrt(np.maximum(1 - (along / 26) ** 2 - (across / 13) ** 2, 0))
    long = pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=140, aspects=(1.0, 2.0), shapes=("disc",))
    assert nearest(long.x_px, long.y_px, centres)[1].max() < 7  # measured 4.8, along particles of 52 px
    assert len(long.x_px) <= len(centres) + 1


@pytest.mark.parametrize("diameter", [5.0, 2000.0])
def test_a_diameter_that_cannot_be_is_refused_with_what_can(image: np.ndarray, diameter: float) -> None:
    with pytest.raises(ValueError, match="between 4 px and 80 %"):
        pick_blobs(image, pixel_size_angstrom=PIXEL, diameter_angstrom=diameter)


def test_the_micrographs_own_best_shape_picks_and_can_be_given(image: np.ndarray) -> None:
    given = {"pixel_size_angstrom": PIXEL, "diameter_angstrom": 130.0, "ctf": CTF}
    trials = blob_trials(image, threshold=0.5, **given)
    best = max(trials, key=lambda name: trials[name].evidence)
    assert best.startswith("ring"), "apoferritin is hollow"
    own, chosen = pick_blobs(image, **given), pick_blobs(image, combination=best, **given)
    for one, other in zip(own, chosen, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r"ring 0\.85"):
        pick_blobs(image, combination="square", **given)


def test_scores_are_right_as_often_as_they_say() -> None:
    scores, true = [], []
    for seed, dose in ((21, 0.8), (22, 1.2), (25, 0.8), (26, 1.2)):
        centres = scattered(seed, 60, 45.0)
        picks = pick_blobs(micrograph(seed, centres, dose), threshold=0.0, combination="ring 1", **COMMON)
        scores.append(picks.scores)
        true.append(nearest(picks.x_px, picks.y_px, centres)[0] < 10)
    every, right = np.concatenate(scores), np.concatenate(true)
    # Scores of 0.1 to 0.5 are too high here, 0.30 in the mean where 0.04 are right; the others are right to 0.05.
    for low, high, limit in ((0.0, 0.1, 0.1), (0.1, 0.5, 0.35), (0.5, 0.9, 0.15), (0.9, 1.0, 0.05)):
        some = (every >= low) & (every <= high)
        assert right[some].mean() == pytest.approx(every[some].mean(), abs=limit)


def test_a_junk_mask_makes_no_noise_a_particle() -> None:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    valid = np.hypot(rows - SIZE / 2, columns - SIZE / 2) > 112  # 15 % of the field, in its middle
    image = micrograph(20, CENTRES, dose=1.5)
    given = {"pixel_size_angstrom": PIXEL, "diameter_angstrom": 130.0, "ctf": CTF, "valid": valid}
    picks = pick_blobs(image, combination="ring 1", **given)
    assert (nearest(picks.x_px, picks.y_px, CENTRES)[0] < 10).mean() > 0.9
    assert len(picks.x_px) > 40


def test_a_crowded_field_is_picked_though_particles_make_its_background() -> None:
    apart = 135 / PIXEL
    rows, columns = np.meshgrid(np.arange(12), np.arange(12), indexing="ij")
    lattice = np.stack([rows * apart * 0.87, columns * apart + 0.5 * apart * (rows % 2)], axis=-1).reshape(-1, 2)
    crowd = lattice + np.random.default_rng(4).uniform(-4, 4, lattice.shape)
    crowd = crowd[(crowd > 20).all(axis=1) & (crowd < SIZE - 20).all(axis=1)]
    picks = pick_blobs(micrograph(8, crowd), pixel_size_angstrom=PIXEL, diameter_angstrom=130, ctf=CTF)
    of_pick, of_centre = nearest(picks.x_px, picks.y_px, crowd)
    assert (of_centre < 10).mean() > 0.95
    assert (of_pick < 10).mean() > 0.95


def test_noise_is_certain_of_nothing_and_particles_are(image: np.ndarray) -> None:
    given = {"pixel_size_angstrom": PIXEL, "diameter_angstrom": 130.0, "ctf": CTF}
    assert pick_blobs(image, **given).certainty > 0.99
    certainty = [pick_blobs(micrograph(seed, GRID[:0]), **given).certainty for seed in (3, 4)]
    assert max(certainty) < 0.5


def test_what_both_find_is_surer_than_what_one_finds() -> None:
    first = Picks(np.array([10.0, 50.0, 90.0]), np.array([10.0, 50.0, 90.0]), np.array([0.9, 0.6, 0.5]), 0.8)
    second = Picks(np.array([91.0, 12.0]), np.array([90.0, 10.0]), np.array([0.95, 0.9]), 0.8)
    pooled = agreed(first, second, 20.0)
    assert pooled.x_px.tolist() == [10.0, 90.0, 50.0], "best first"
    assert pooled.scores[0] == pytest.approx(0.9)
    assert 0.5 < pooled.scores[1] < 0.95
    assert pooled.scores[2] < 0.2, "the second did not find it"
    assert pooled.certainty == pytest.approx(0.8)
    nothing = Picks(np.zeros(0), np.zeros(0), np.zeros(0), 0.1)
    assert len(agreed(nothing, second, 20.0).scores) == 0
    assert agreed(first, nothing, 20.0).scores.max() < 0.5


def test_peaks_are_found_between_pixels_and_thinned_best_first() -> None:
    y, x = np.mgrid[0:60, 0:60]
    spots = [(20.3, 30.6, 1.0), (27.0, 30.0, 0.8), (45.5, 10.25, 0.6)]
    values = sum(h * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 6) for a, b, h in spots)
    peaks = find_peaks(np.asarray(values), 0.1, 10.0)
    np.testing.assert_allclose(peaks.y, [20.3, 45.5], atol=0.1)
    np.testing.assert_allclose(peaks.x, [30.6, 10.25], atol=0.1)
    assert thinned(np.array([0.0, 3.0, 6.0]), np.zeros(3), 4.0).tolist() == [True, False, True]


def test_real_micrographs_are_picked_as_people_do(shared_data: Path) -> None:
    # The first of the ten; the benchmark measures all. F1 0.96 measured at the default threshold, diameter only.
    folder = shared_data / "apoferritin"
    table = list(csv.DictReader((folder / "ctffind5.csv").read_text().splitlines()))
    name = table[0]["micrograph"]
    image = imagecodecs.imread((folder / f"{name}.png").read_bytes()).astype(np.float32)
    rows = csv.DictReader((folder / f"{name}.csv").read_text().splitlines())
    people = np.array([[float(row["y_px_from_top_of_png"]), float(row["x_px"])] for row in rows])
    ctf = CtfParameters(float(table[0]["defocus_u_A"]), float(table[0]["defocus_v_A"]), float(table[0]["angle_deg"]))
    picks = pick_blobs(image, pixel_size_angstrom=1.5, diameter_angstrom=130, ctf=ctf)
    of_pick, of_person = nearest(picks.x_px, picks.y_px, people)
    inner = (np.minimum(picks.x_px, 1239 - picks.x_px) > 22) & (np.minimum(picks.y_px, 1199 - picks.y_px) > 22)
    inside = (np.minimum(people[:, 1], 1239 - people[:, 1]) > 22) & (np.minimum(people[:, 0], 1199 - people[:, 0]) > 22)
    assert (of_pick[inner] < 15).mean() > 0.9
    assert (of_person[inside] < 15).mean() > 0.9
    # Boxes around the picks, averaged, show apoferritin's shell: brightest at its 55 Å, darker in its hollow and
    # outside.
    boxes, _ = extract_particles(image, picks.x_px, picks.y_px, box_px=96, pixel_size_angstrom=1.5)
    offset = np.arange(96) - 48
    ring = np.hypot(offset[:, None], offset[None]).astype(int)
    profile = np.bincount(ring.ravel(), boxes.mean(axis=0).ravel()) / np.bincount(ring.ravel())
    assert 28 < np.argmax(profile[15:48]) + 15 < 41  # px of 1.5 Å; measured 30
    assert profile[35] > profile[:15].mean() + 0.3
    assert profile[35] > profile[46] + 0.3
