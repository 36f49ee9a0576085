"""The picking step: which method runs, on which files, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from warpcore.services.movies.errors import InputError
from warpcore.services.movies.settings import PickingSettings
from warpcore.services.worker.picking import cut, read_templates, score

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


def found_all(x: np.ndarray, y: np.ndarray) -> bool:
    distance = np.hypot(x[:, None] - PLACES[:, 1], y[:, None] - PLACES[:, 0])
    return len(x) == len(PLACES) and bool((distance.min(axis=0) < 2).all())


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
