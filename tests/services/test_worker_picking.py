"""The picking step: which method runs, on which files, and what it refuses."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import scipy.ndimage
from scipy.spatial.transform import Rotation

from warpcore.kernels.picking._blobs import Picks
from warpcore.kernels.picking._weights import Calibration, Network, initial_parameters, write_network
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import PickingSettings, SettingsError, parse_settings
from warpcore.services.worker.steps.picking_methods import cut, read_templates, read_weights, score

PIXEL = 5.0
PLACES = np.stack(np.meshgrid(np.arange(30, 200, 36.0), np.arange(30, 260, 38.0), indexing="ij"), -1).reshape(-1, 2)


def discs(shape: tuple[int, int], places: np.ndarray, radius: float) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return np.asarray(sum(1 / (1 + np.exp(np.hypot(y - cy, x - cx) - radius)) for cy, cx in places))


@pytest.fixture(scope="module")
def average() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.7, (220, 280))
    return (10 - discs((220, 280), PLACES, 12.0) + noise).astype(np.float32)


def written(path: Path, data: np.ndarray, pixel: float) -> Path:
    with mrcfile.new(path) as file:
        file.set_data(data.astype(np.float32))
        file.voxel_size = pixel
    return path


def found_all(x: np.ndarray, y: np.ndarray, extra: int = 0) -> bool:
    return missed(x, y) == 0 and len(x) <= len(PLACES) + extra


def missed(x: np.ndarray, y: np.ndarray) -> int:
    distance = np.hypot(x[:, None] - PLACES[:, 1], y[:, None] - PLACES[:, 0])
    return int((distance.min(axis=0, initial=np.inf) >= 2).sum())


def test_each_method_finds_the_particles(average: np.ndarray, tmp_path: Path) -> None:
    stack = written(tmp_path / "t.mrcs", discs((40, 40), np.array([[20, 20]]), 15.0)[None], 4.0)
    for options in (
        PickingSettings(diameter=125.0),
        PickingSettings(method="network", diameter=125.0),
        PickingSettings(method="template", diameter=125.0, templates_path=str(stack)),
    ):
        candidates, junk = score(average, PIXEL, options, None)
        picks = cut(candidates, options.threshold)
        assert found_all(picks.x_px, picks.y_px), options.method
        assert junk.percent == 0


def test_a_cube_is_a_map_and_is_projected(tmp_path: Path) -> None:
    z, y, x = np.mgrid[0:20, 0:20, 0:20] - 10
    path = written(tmp_path / "map.mrc", np.hypot(np.hypot(x, y), z) < 6, 6.0)
    templates, pixel = read_templates(PickingSettings(method="template", templates_path=str(path)))
    assert templates.shape == (46, 20, 20)  # 30° steps over the sphere
    assert pixel == pytest.approx(6.0)


def picked(image: np.ndarray, **options: Any) -> Picks:
    settings = PickingSettings(**options)
    return cut(score(image, PIXEL, settings, None)[0], settings.threshold)


def test_bright_particles_are_those_of_the_inverted_image(average: np.ndarray, tmp_path: Path) -> None:
    stack = written(tmp_path / "t.mrcs", discs((40, 40), np.array([[20, 20]]), 15.0)[None], 4.0)
    for method in ("blob", "network", "template"):
        given = {"method": method, "diameter": 125.0, "templates_path": str(stack)}
        dark, bright = picked(average, **given), picked(-average, **given, contrast="bright")
        np.testing.assert_allclose(bright.x_px, dark.x_px, atol=1e-3)
        wrong = picked(average, **given, contrast="bright")  # the gaps between them, at best
        assert missed(wrong.x_px, wrong.y_px) == len(PLACES)


def test_a_range_of_diameters_finds_small_and_large_ones() -> None:
    small, large = PLACES[::2], PLACES[1::2]
    image = -discs((220, 280), small, 7.0) - discs((220, 280), large, 15.0)
    image = image + np.random.default_rng(1).normal(0, 0.3, image.shape)
    both = picked(image, diameter=75.0, diameter_max=160.0)
    assert found_all(both.x_px, both.y_px)
    alone = picked(image, diameter=75.0)
    assert missed(alone.x_px, alone.y_px) == len(large)


def test_shapes_and_aspect_are_those_that_are_asked_for() -> None:
    noise = np.random.default_rng(2).normal(0, 0.6, (220, 280))
    rings = -(discs((220, 280), PLACES, 13.0) - 0.9 * discs((220, 280), PLACES, 8.0)) + noise
    ring, disc = (picked(rings, diameter=130.0, shapes=[shape]) for shape in ("ring", "disc"))
    assert found_all(ring.x_px, ring.y_px, extra=2)  # measured 1 more
    assert missed(disc.x_px, disc.y_px) > 15  # measured 22 of 35
    y, x = np.mgrid[0:220, 0:280]
    rods = noise - sum(np.hypot((y - cy) / 15, (x - cx) / 6) < 1 for cy, cx in PLACES)
    long, round_ = (picked(rods, diameter=150.0, shapes=["disc"], aspect=aspect) for aspect in (2.5, 1.0))
    assert found_all(long.x_px, long.y_px, extra=3)  # measured 2 more
    assert missed(round_.x_px, round_.y_px) > 0  # measured 2


def test_a_map_is_matched_by_its_projections(tmp_path: Path) -> None:
    """A rod of 150 Å seen from all sides, at another pixel size than the micrograph's."""
    z, y, x = np.mgrid[0:40, 0:40, 0:40] - 20
    rod = (np.hypot(x, y) < 7.0) & (np.abs(z) < 15)
    path = written(tmp_path / "map.mrc", scipy.ndimage.gaussian_filter(rod.astype(float), 0.7), 5.0)
    step = {"method": "template", "templates_path": str(path), "angular_step": 60.0, "rotation_step": 20.0}
    templates, _ = read_templates(PickingSettings(**step))
    assert len(templates) == 11  # 60° apart over the sphere
    rng, image = np.random.default_rng(3), np.zeros((220, 280))
    for cy, cx in PLACES:
        turned = Rotation.random(rng=rng).apply(np.argwhere(rod) - 20.0)
        np.add.at(image, tuple(np.round(turned[:, :2] + (cy, cx)).astype(int).T), -1)
    image = scipy.ndimage.gaussian_filter(image, 1.0) + rng.normal(0, 6, image.shape)
    found = picked(image, **step, diameter=165.0)
    assert found_all(found.x_px, found.y_px)


def test_a_users_own_weights_pick(average: np.ndarray, tmp_path: Path) -> None:
    own = tmp_path / "own.npz"
    shipped = files("warpcore.kernels.picking").joinpath("shipped", "general.npz").read_bytes()
    given = {"method": "network", "diameter": 125.0, "weights_path": str(own)}
    own.write_bytes(shipped)
    same = picked(average, **given)
    assert found_all(same.x_px, same.y_px)
    untrained = Network(initial_parameters(np.random.default_rng(0)), Calibration(1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0))
    own.write_bytes(write_network(untrained, {}))
    other = picked(average, **given)
    assert not found_all(other.x_px, other.y_px)
    own.write_bytes(shipped[:-100])
    with pytest.raises(InputError, match=r"picking.weights_path: .*own\.npz cannot be used"):
        read_weights(PickingSettings(**given))
    with pytest.raises(InputError, match=r"picking.weights_path: .*absent\.npz cannot be used"):
        picked(average, **{**given, "weights_path": str(tmp_path / "absent.npz")})


@pytest.mark.parametrize("wrong", [{"diameter_max": 100.0}, {"diameter": 100.0, "diameter_max": 90.0}, {"shapes": []}])
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"picking"):
        parse_settings({"picking": wrong})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (PickingSettings(), r"picking\.diameter"),
        (PickingSettings(method="template", diameter=100.0), r"picking\.templates_path"),
    ],
)
def test_settings_that_cannot_pick_are_refused_by_name(
    average: np.ndarray, options: PickingSettings, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        score(average, PIXEL, options, None)


def test_templates_that_are_not_square_are_refused_with_their_file(average: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path / "wide.mrcs", np.ones((2, 10, 14)), 4.0)
    with pytest.raises(InputError, match=r"wide\.mrcs is not a stack of square"):
        score(average, PIXEL, PickingSettings(method="template", diameter=100.0, templates_path=str(path)), None)
