"""Template picking against objects whose places and turns are known."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.ctf._parameters import CtfParameters
from warpcore.kernels.picking._templates import pick_templates, template_diameter_px

PIXEL, SIZE = 3.0, 400
CTF = CtfParameters(12000.0, 12000.0)
# A lopsided object: three Gaussian lobes, x, y, radius in Å from its centre.
LOBES = ((-40.0, 0.0, 16.0), (30.0, 25.0, 14.0), (35.0, -30.0, 9.0))


def drawn(size: int, pixel: float, places: np.ndarray, turns_degrees: np.ndarray) -> np.ndarray:
    """The object at places (y, x in px) turned from +x towards +y."""
    y, x = np.mgrid[0:size, 0:size] * pixel
    image = np.zeros((size, size))
    for (cy, cx), turn in zip(places, np.radians(turns_degrees), strict=True):
        for lx, ly, radius in LOBES:
            px, py = lx * np.cos(turn) - ly * np.sin(turn), lx * np.sin(turn) + ly * np.cos(turn)
            image += np.exp(-((x - cx * pixel - px) ** 2 + (y - cy * pixel - py) ** 2) / (2 * radius**2))
    return image


GRID = np.stack(np.meshgrid(np.arange(40.4, 380, 62.3), np.arange(38.7, 380, 64.1), indexing="ij"), -1).reshape(-1, 2)
TURNS = np.random.default_rng(4).uniform(0, 360, len(GRID))
TEMPLATE = drawn(90, 2.0, np.array([[45.0, 45.0]]), np.zeros(1))  # another pixel size than the micrograph's


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    clean = np.fft.irfft2(np.fft.rfft2(drawn(SIZE, PIXEL, GRID, TURNS)) * np.asarray(CTF.image((SIZE, SIZE), PIXEL)))
    return (clean + np.random.default_rng(1).normal(0, 0.25, clean.shape)).astype(np.float32)


def test_objects_are_found_with_their_turn(image: np.ndarray) -> None:
    picks = pick_templates(
        image,
        TEMPLATE,
        template_pixel_size_angstrom=2.0,
        pixel_size_angstrom=PIXEL,
        diameter_angstrom=130,
        ctf=CTF,
        angle_step_degrees=15,
    )
    assert len(GRID) <= len(picks.x_px) <= len(GRID) + 4  # measured 3 more: lobes of the CTF 0.7 diameters away
    assert picks.certainty > 0.999
    distance = np.hypot(picks.x_px[:, None] - GRID[:, 1], picks.y_px[:, None] - GRID[:, 0])
    found = distance.argmin(axis=0)
    assert (
        distance.min(axis=0).max() < 2.0
    )  # px of 3 Å at a noise of a quarter of the lobes; measured 1.6, 0.7 in the mean
    off = (picks.angle_degrees[found] - TURNS + 180) % 360 - 180
    assert np.abs(off).max() < 15  # steps of 15°: 7.5° and what noise adds; measured 9°
    assert (picks.template == 0).all()


def test_the_sign_of_a_template_does_not_matter_and_a_wrong_one_finds_less(image: np.ndarray) -> None:
    common = {"pixel_size_angstrom": PIXEL, "diameter_angstrom": 130.0, "ctf": CTF, "angle_step_degrees": 15.0}
    plain = pick_templates(image, TEMPLATE, template_pixel_size_angstrom=2.0, **common)  # type: ignore[arg-type]
    inverted = pick_templates(image, 5 - 3 * TEMPLATE, template_pixel_size_angstrom=2.0, **common)  # type: ignore[arg-type]
    np.testing.assert_allclose(inverted.x_px, plain.x_px, atol=1e-3)
    both = np.stack([np.roll(TEMPLATE[::-1], 1, axis=0), TEMPLATE])  # the mirror image first
    chosen = pick_templates(image, both, template_pixel_size_angstrom=2.0, **common)  # type: ignore[arg-type]
    assert (chosen.template == 1)[: len(GRID)].mean() > 0.9  # of the picks that are objects


def test_noise_gives_hardly_a_pick() -> None:
    noise = np.random.default_rng(7).normal(size=(SIZE, SIZE)).astype(np.float32)
    picks = pick_templates(
        noise,
        TEMPLATE,
        template_pixel_size_angstrom=2.0,
        pixel_size_angstrom=PIXEL,
        diameter_angstrom=130,
        ctf=CTF,
        angle_step_degrees=15,
    )
    assert len(picks.x_px) < 3  # measured 0


def test_the_diameter_is_measured_from_the_template() -> None:
    y, x = np.mgrid[0:100, 0:100] - 50
    disc = (np.hypot(x, y) < 30).astype(float)
    ring = disc * (np.hypot(x, y) > 20)
    assert template_diameter_px(np.stack([disc])) == pytest.approx(60, abs=6)
    assert template_diameter_px(np.stack([-ring])) == pytest.approx(60, abs=6)


@pytest.mark.parametrize("bad", [np.zeros((2, 10, 12)), np.zeros((1, 16, 16)), np.full((1, 16, 16), np.nan)])
def test_templates_that_cannot_be_are_refused(image: np.ndarray, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="templates"):
        pick_templates(image, bad, template_pixel_size_angstrom=2.0, pixel_size_angstrom=PIXEL)
