"""The picking step: which method runs, on which files, and what it refuses."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import scipy.ndimage
from msgspec.structs import replace
from scipy.spatial.transform import Rotation

from warpcore.bus.messages import AssignTask, HandPicks
from warpcore.kernels.picking import Picks
from warpcore.kernels.picking._weights import Calibration, Network, initial_parameters, write_network
from warpcore.services.session.declared import staged_files
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.errors import InputError
from warpcore.services.session.placing import Placement, place
from warpcore.services.session.settings import PickingSettings, SettingsError, parse_settings
from warpcore.services.steps.picking import PickingResult
from warpcore.services.worker import stored
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.picking import PICKING
from warpcore.services.worker.steps.picking_methods import (
    Found,
    cut,
    given_to_pickers,
    junk_of,
    read_templates,
    read_weights,
    score,
)
from warpcore.services.worker.steps.work import AVERAGE, Average, Work

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


def scored(image: np.ndarray, choice: dict[str, Any] | None = None, **options: Any) -> Found:
    """All candidates of an image, junk first, as the step has them scored."""
    settings = PickingSettings(**options)
    junk = junk_of(image, PIXEL, settings)
    assert junk.percent == 0
    return score(given_to_pickers(image, PIXEL, settings, junk), settings, None, choice)


def picked(image: np.ndarray, **options: Any) -> Picks:
    return cut(scored(image, **options).candidates, PickingSettings(**options))[0]


@pytest.mark.parametrize("method", ["auto", "both", "blob", "network", "template"])
def test_each_method_finds_the_particles(average: np.ndarray, tmp_path: Path, method: str) -> None:
    stack = written(tmp_path / "t.mrcs", discs((40, 40), np.array([[20, 20]]), 15.0)[None], 4.0)
    files = {"templates_path": str(stack)} if method == "template" else {}
    picks = picked(average, method=method, diameter=125.0, **files)
    assert found_all(picks.x_px, picks.y_px)


def test_without_a_choice_auto_measures_shapes_and_methods_and_uses_the_best(average: np.ndarray) -> None:
    found = scored(average, diameter=125.0)
    evidence = found.evidence or {}
    shapes = {name: told for name, (told, _) in evidence["shapes"].items()}
    assert (found.method, found.shape) == ("both", max(shapes, key=lambda name: shapes[name]))
    assert {name.split()[0] for name in shapes} == {"disc", "ring"}
    assert shapes["disc 1"] > 2 * shapes["disc 0.55"], "measured 566 and 107"
    assert list(evidence["gains"]) == ["network"]
    for gained in (evidence["gains"]["network"], evidence["shapes"][found.shape][1]):
        assert gained == pytest.approx(len(PLACES), abs=6)  # measured 31.6 and 35.0 of 35
    assert "sure" not in evidence
    sure = np.array((scored(average, diameter=125.0, adapt=True).evidence or {})["sure"])
    assert len(sure) > 0.8 * len(PLACES)  # measured 35 of 35
    assert found_all(*sure.T)


def test_a_choice_decides_method_and_shape_whatever_came_before(average: np.ndarray) -> None:
    own = scored(average, diameter=125.0)
    chosen = scored(average, {"method": own.method, "shape": own.shape}, diameter=125.0)
    assert chosen == own._replace(evidence=None, candidates=chosen.candidates)
    np.testing.assert_array_equal(chosen.candidates[:3], own.candidates[:3])
    other: dict[str, Any] = {"method": "blob", "shape": "ring 0.85"}
    first = scored(average, other, diameter=125.0)
    scored(-average, {"method": "both", "shape": "disc 1 aspect 2"}, diameter=125.0, contrast="bright")
    again = scored(average, other, diameter=125.0)
    assert (first.method, first.shape, first.evidence) == ("blob", "ring 0.85", None)
    np.testing.assert_array_equal(first.candidates[:3], again.candidates[:3])
    assert not np.array_equal(first.candidates.scores, own.candidates.scores)
    network = scored(average, {"method": "network", "shape": None}, diameter=125.0)
    assert (network.method, network.shape) == ("network", None)


def test_templates_alone_are_enough_for_auto(average: np.ndarray, tmp_path: Path) -> None:
    stack = written(tmp_path / "t.mrcs", discs((40, 40), np.array([[20, 20]]), 15.0)[None], 4.0)
    found = scored(average, templates_path=str(stack))
    assert (found.method, found.shape) == ("template", None)
    assert found_all(*cut(found.candidates, PickingSettings())[0][:2])
    assert (found.evidence or {})["gains"] == {"template": pytest.approx(len(PLACES), abs=1)}  # measured 35.0
    assert "network" in (scored(average, templates_path=str(stack), diameter=125.0).evidence or {})["gains"]


def work_on(image: np.ndarray, cheap: bool = False, results: Any = None, **options: Any) -> Work:
    settings = parse_settings({"picking": options})
    task = AssignTask(
        lease=1,
        purpose="process",
        name="a",
        path="a.tif",
        size=1,
        mtime_ns=1,
        run=["picking"],
        wanted={},
        settings=settings.to_dict(),
        results={"picking": results} if results else {},
        data_directory="/d",
        processing_directory="/p",
    )
    work = Work(task, settings, ["picking"], {}, cheap={"picking"} if cheap else set())
    work.put(AVERAGE, Average(image, PIXEL, image))
    return work


def run(work: Work) -> tuple[PickingResult, str]:
    """What the step finds, and its words for the log."""
    words: list[str] = []
    result = PICKING.run(work, lambda step, fraction, message="": words.append(message))
    return result, words[-1]


@pytest.mark.parametrize("seed", [2, 3])
def test_noise_has_uncertain_picks_and_at_most_one(seed: int) -> None:
    """Seed 2 is the one of twelve where the network by itself picks most: 3."""
    noise = np.random.default_rng(seed).normal(10, 1, (384, 384)).astype(np.float32)
    result, words = run(work_on(noise, diameter=125.0))
    assert result.certainty < 0.5  # measured 0.055 and 0.033
    assert "picks uncertain" in words
    assert result.count <= 1  # measured 0


def test_particles_have_certain_picks(average: np.ndarray) -> None:
    result, words = run(work_on(average, diameter=125.0))
    assert result.certainty > 0.9  # measured 0.989
    assert words == f"{len(PLACES)} particles"
    assert (result.method, (result.shape or "").split()[0]) == ("both", "disc")
    assert result.false_percent is not None
    assert 0 < result.false_percent < 10  # measured 4.6


def test_an_expected_share_of_false_picks_takes_the_thresholds_place(tmp_path: Path) -> None:
    """On kept scores, which no method gives: 10 of 0.95, 10 of 0.7, 10 of 0.3."""
    scores = np.repeat([0.95, 0.7, 0.3], 10)
    (tmp_path / "matching").mkdir()
    (tmp_path / "mask").mkdir()
    kept = {"x_px": [*range(30)], "y_px": [*range(30)], "scores": scores.tolist()}
    (tmp_path / "matching" / "a_picks.json").write_text(json.dumps(kept))
    written(tmp_path / "mask" / "a.mrc", np.zeros((8, 8)), 12.0)
    before = {"junk_percent": 0.0, "certainty": 0.9, "method": "blob", "shape": "disc 1"}

    def again(**options: Any) -> tuple[int, float | None, float | None, float]:
        work = work_on(np.zeros((40, 40), np.float32), cheap=True, results=before, diameter=50.0, **options)
        assert PICKING.take_up(work, tmp_path)
        result, words = run(work)
        assert words == f"{result.count} particles, scores kept"
        assert (result.method, result.shape, result.certainty) == ("blob", "disc 1", 0.9)
        return result.count, result.false_percent, result.median_score, result.threshold

    assert again(threshold=0.5) == (20, 17.5, 0.825, 0.5)
    assert again(threshold=0.5, expected_false=0.05) == (10, 5.0, 0.95, 0.95)
    assert again(threshold=0.99, expected_false=0.2) == (20, 17.5, 0.825, 0.7), "equal scores stay together"
    assert again(threshold=0.0, expected_false=0.04)[:3] == (0, None, None)


def test_a_persons_edits_hold_on_kept_scores_and_are_written(tmp_path: Path) -> None:
    (tmp_path / "matching").mkdir()
    (tmp_path / "mask").mkdir()
    kept = {"x_px": [10, 20, 30], "y_px": [10, 20, 30], "scores": [0.9, 0.8, 0.2]}
    (tmp_path / "matching" / "a_picks.json").write_text(json.dumps(kept))
    written(tmp_path / "mask" / "a.mrc", np.zeros((8, 8)), 12.0)
    before = {"junk_percent": 0.0, "certainty": 0.9, "method": "blob", "shape": "disc 1"}
    work = work_on(np.zeros((40, 40), np.float32), cheap=True, results=before, diameter=50.0)
    hand = HandPicks(added=[(5.0, 35.0)], removed=[(11.0, 10.0)], width=40, height=40)
    work.task = replace(work.task, hand_picks=hand)
    assert PICKING.take_up(work, tmp_path)
    result, _ = run(work)
    assert (result.count, sum(result.score_histogram)) == (2, 3)
    staging = Staging(tmp_path, "1", work.path)
    work.results["picking"] = result.to_dict()
    PICKING.write(work, staging)
    staging.settle()
    place(DiskFiles(tmp_path), Placement("a", "1", staged_files(staging.outputs, "a", "picks")))
    picks = stored.read_picks(tmp_path / "matching" / "a_picks.star")
    assert picks is not None
    assert picks.x_px.tolist() == [5.0, 20.0]
    assert json.loads((tmp_path / "matching" / "a_picks.json").read_text()) == kept


def test_a_cube_is_a_map_and_is_projected(tmp_path: Path) -> None:
    z, y, x = np.mgrid[0:20, 0:20, 0:20] - 10
    path = written(tmp_path / "map.mrc", np.hypot(np.hypot(x, y), z) < 6, 6.0)
    templates, pixel = read_templates(PickingSettings(method="template", templates_path=str(path)))
    assert templates.shape == (46, 20, 20)  # 30° steps over the sphere
    assert pixel == pytest.approx(6.0)


def test_bright_particles_are_those_of_the_inverted_image(average: np.ndarray, tmp_path: Path) -> None:
    stack = written(tmp_path / "t.mrcs", discs((40, 40), np.array([[20, 20]]), 15.0)[None], 4.0)
    for method in ("both", "blob", "network", "template"):
        given = {"method": method, "diameter": 125.0, "templates_path": str(stack)}
        dark, bright = picked(average, **given), picked(-average, **given, contrast="bright")
        np.testing.assert_allclose(bright.x_px, dark.x_px, atol=1e-3)
        wrong = picked(average, **given, contrast="bright")  # the gaps between them, at best
        assert missed(wrong.x_px, wrong.y_px) == len(PLACES)


def test_a_range_of_diameters_finds_small_and_large_ones() -> None:
    small, large = PLACES[::2], PLACES[1::2]
    image = -discs((220, 280), small, 7.0) - discs((220, 280), large, 15.0)
    image = image + np.random.default_rng(1).normal(0, 0.3, image.shape)
    for method in ("auto", "blob"):
        both = picked(image, method=method, diameter=75.0, diameter_max=160.0)
        assert found_all(both.x_px, both.y_px), method
        alone = picked(image, method=method, diameter=75.0)
        assert missed(alone.x_px, alone.y_px) == len(large), method


def test_shapes_and_aspect_are_those_that_are_asked_for() -> None:
    noise = np.random.default_rng(2).normal(0, 0.6, (220, 280))
    rings = -(discs((220, 280), PLACES, 13.0) - 0.9 * discs((220, 280), PLACES, 8.0)) + noise
    ring = scored(rings, method="blob", diameter=130.0, shapes=["ring"])
    assert found_all(*cut(ring.candidates, PickingSettings())[0][:2])
    assert all(name.startswith("ring") for name in (ring.evidence or {})["shapes"]), "elongated blobs are discs"
    either = scored(rings, method="blob", diameter=130.0, aspect=1.0)
    assert (either.shape or "").startswith("ring"), "they are hollow"
    assert not [name for name in (either.evidence or {})["shapes"] if "aspect" in name]
    y, x = np.mgrid[0:220, 0:280]
    rods = noise - sum(np.hypot((y - cy) / 15, (x - cx) / 6) < 1 for cy, cx in PLACES)
    long = scored(rods, method="blob", diameter=150.0, aspect=2.5)
    assert found_all(*cut(long.candidates, PickingSettings())[0][:2])
    assert "aspect" in (long.shape or ""), "they are rods"


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
        ({}, r"picking\.diameter"),
        ({"method": "blob", "templates_path": "/t.mrcs"}, r"picking\.diameter"),
        ({"method": "template", "diameter": 100.0}, r"picking\.templates_path"),
    ],
)
def test_settings_that_cannot_pick_are_refused_by_name(
    average: np.ndarray, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        scored(average, **options)


def test_templates_that_are_not_square_are_refused_with_their_file(average: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path / "wide.mrcs", np.ones((2, 10, 14)), 4.0)
    with pytest.raises(InputError, match=r"wide\.mrcs is not a stack of square"):
        scored(average, method="template", diameter=100.0, templates_path=str(path))
