"""The picking step: which method runs, on which files, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from warpcore.services.movies.errors import InputError
from warpcore.services.movies.settings import PickingSettings
from warpcore.services.worker.picking import load_templates, pick

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


def found_all(picking: object, x: np.ndarray, y: np.ndarray) -> bool:
    distance = np.hypot(x[:, None] - PLACES[:, 1], y[:, None] - PLACES[:, 0])
    return len(x) == len(PLACES) and bool((distance.min(axis=0) < 2).all())


def test_blobs_and_templates_find_the_same_particles(average: np.ndarray, tmp_path: Path) -> None:
    blobs = pick(average, PIXEL, PickingSettings(diameter=125.0), None)
    assert found_all(blobs, blobs.picks.x_px, blobs.picks.y_px)
    assert blobs.junk.percent == 0
    assert sum(blobs.score_histogram) == len(PLACES)
    stack = written(tmp_path / "t.mrcs", discs((40, 40), np.array([[20, 20]]), 15.0)[None], 4.0)
    options = PickingSettings(method="template", diameter=125.0, templates_path=str(stack))
    matched = pick(average, PIXEL, options, None)
    assert found_all(matched, matched.picks.x_px, matched.picks.y_px)


def test_a_map_is_projected_and_a_replaced_file_read_again(tmp_path: Path) -> None:
    z, y, x = np.mgrid[0:20, 0:20, 0:20] - 10
    path = written(tmp_path / "map.mrc", np.hypot(np.hypot(x, y), z) < 6, 6.0)
    templates = load_templates(path)
    assert len(templates.images) == 46  # 30° steps over the sphere
    assert templates.pixel_size_angstrom == pytest.approx(6.0)
    path.unlink()
    written(path, discs((24, 24), np.array([[12, 12]]), 6.0)[None], 7.0)
    assert load_templates(path).images.shape == (1, 24, 24)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (PickingSettings(), r"picking\.diameter"),
        (PickingSettings(method="template", diameter=100.0), r"picking\.templates_path"),
        (PickingSettings(diameter=4000.0), "80 %"),
    ],
)
def test_settings_that_cannot_pick_are_refused_by_name(
    average: np.ndarray, options: PickingSettings, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        pick(average, PIXEL, options, None)


def test_templates_that_are_not_square_are_refused_with_their_file(average: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path / "wide.mrcs", np.ones((2, 10, 14)), 4.0)
    with pytest.raises(InputError, match=r"wide\.mrcs: 14×10 px"):
        pick(average, PIXEL, PickingSettings(method="template", diameter=100.0, templates_path=str(path)), None)
