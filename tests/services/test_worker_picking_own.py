"""Templates of a session's own: made once from sure picks of its first movies, tried on those held back."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.worker.steps.picking_methods import OwnTemplates, given_to_pickers, junk_of, score
from warpcore.services.worker.steps.picking_own import own_id, own_templates

PIXEL = 5.0
MOVIES = 6
SETTINGS: Settings = parse_settings({"picking": {"diameter": 125.0, "adapt": True}})


def triangles(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image [400, 400] of 90 particles of three domains, turned in the plane, and their places [90, 2] (x, y)."""
    places = np.stack(np.meshgrid(np.arange(30, 370, 36.0), np.arange(30, 370, 38.0)), -1).reshape(-1, 2)
    places = places + rng.uniform(-4, 4, places.shape)
    y, x = np.mgrid[0:400, 0:400]
    image = rng.normal(10, 1, (400, 400))
    for (cx, cy), turn in zip(places, rng.uniform(0, 2 * np.pi, len(places)), strict=True):
        for angle in turn + np.arange(3) * 2 * np.pi / 3:
            image -= np.exp(-((y - cy - 8 * np.sin(angle)) ** 2 + (x - cx - 8 * np.cos(angle)) ** 2) / 18)
    return image.astype(np.float32), places


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A processing directory with the averages of the first movies, and their sure picks."""
    folder, rng, sure = tmp_path_factory.mktemp("session"), np.random.default_rng(5), []
    (folder / "average").mkdir()
    for number in range(MOVIES):
        image, places = triangles(rng)
        write_mrc(folder / "average" / f"m{number}.mrc", image, PIXEL)
        sure.append({"movie": f"m{number}", "xy": np.round(places[:60], 1).tolist()})
    return folder, sure


def made(folder: Path, choice: dict[str, Any]) -> tuple[OwnTemplates | None, dict[str, Any], Path]:
    """What the first movie that asks gets, the verdict that it leaves, and where the templates would be."""
    own = own_templates(folder, SETTINGS, choice)
    stack = folder / "matching" / f"templates_{own_id(SETTINGS.picking, choice)}.mrc"
    return own, json.loads(stack.with_suffix(".json").read_text()), stack


def test_templates_that_find_more_are_made_once_and_used(
    session: tuple[Path, list[dict[str, Any]]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first, again = tmp_path / "first", tmp_path / "again"
    for folder in (first, again):
        shutil.copytree(session[0], folder)
    choice = {"method": "both", "shape": "disc 1", "sure": session[1]}
    own, verdict, stack = made(first, choice)
    assert own is not None
    assert own.stack.ndim == 3
    assert verdict["helps"]
    assert f"{MOVIES // 2 * 60} picks" in verdict["told"], "every other movie is held back"
    assert f"templates of the session's own: {verdict['told']}" in caplog.text
    assert verdict["told"].endswith("are needed: used")
    # Another worker makes the same bytes, and whoever comes later makes nothing.
    made(again, choice)
    for path in (stack, stack.with_suffix(".json")):
        assert path.read_bytes() == (again / "matching" / path.name).read_bytes()
    before = stack.stat().st_mtime_ns
    later = own_templates(first, SETTINGS, choice)
    assert later is not None
    np.testing.assert_array_equal(later.stack, own.stack)
    assert stack.stat().st_mtime_ns == before

    image, places = triangles(np.random.default_rng(6))
    given = given_to_pickers(image, PIXEL, SETTINGS.picking, junk_of(image, PIXEL, SETTINGS.picking))
    found = score(given, SETTINGS.picking, None, choice, own)
    assert (found.method, found.shape, found.evidence) == ("template", "the session's own templates", None)
    kept = found.candidates.scores >= 0.5
    x, y = (one[kept] for one in found.candidates[:2])
    distance = np.hypot(x[:, None] - places[:, 0], y[:, None] - places[:, 1])
    assert (distance.min(axis=0) < 5).sum() >= 80  # measured 87 of 90, blobs and network 61
    assert (distance.min(axis=1) >= 5).sum() <= 12  # measured 8, blobs and network 25


def test_picks_of_noise_make_no_templates(session: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    shutil.copytree(session[0] / "average", tmp_path / "average")
    rng = np.random.default_rng(7)
    for number in range(MOVIES):
        noise = rng.normal(10, 1, (400, 400)).astype(np.float32)
        write_mrc(tmp_path / "average" / f"m{number}.mrc", noise, PIXEL)
    own, verdict, stack = made(tmp_path, {"method": "both", "shape": "disc 1", "sure": session[1]})
    assert own is None
    assert not verdict["helps"]
    assert verdict["told"] == "not made, since no view stands out from noise in the sure picks"
    assert not stack.exists()


def test_too_few_movies_make_none(session: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    """Two movies leave one held back, whose gain could be chance."""
    shutil.copytree(session[0] / "average", tmp_path / "average")
    own, verdict, _ = made(tmp_path, {"method": "both", "shape": "disc 1", "sure": session[1][:2]})
    assert own is None
    assert not verdict["helps"]
    assert verdict["told"] == "not made, since only 2 of the first movies have sure picks"


def test_a_lost_stack_is_made_again(session: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    shutil.copytree(session[0] / "average", tmp_path / "average")
    choice = {"method": "both", "shape": "disc 1", "sure": session[1]}
    own, _, stack = made(tmp_path, choice)
    assert own is not None
    content = stack.read_bytes()
    stack.write_bytes(content[:700])
    again, _, _ = made(tmp_path, choice)
    assert again is not None
    assert stack.read_bytes() == content


def test_averages_that_are_missing_are_told_and_stop_nothing(
    session: tuple[Path, list[dict[str, Any]]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(session[0] / "average", tmp_path / "average")
    (tmp_path / "average" / "m3.mrc").unlink()
    choice = {"method": "both", "shape": "disc 1", "sure": session[1]}
    assert own_templates(tmp_path, SETTINGS, choice) is None
    assert "averages of its first movies are missing" in caplog.text
    assert not (tmp_path / "matching").exists(), "nothing is decided by it"
    shutil.copy(session[0] / "average" / "m3.mrc", tmp_path / "average")
    assert own_templates(tmp_path, SETTINGS, choice) is not None


@pytest.mark.parametrize("choice", [None, {"method": "both", "shape": "disc 1"}])
def test_nothing_is_made_where_nothing_was_chosen(choice: dict[str, Any] | None, tmp_path: Path) -> None:
    assert own_templates(tmp_path, SETTINGS, choice) is None
    assert not list(tmp_path.iterdir())
