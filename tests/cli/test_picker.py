"""Training of the picker: targets, reproducibility, and that it learns."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
import typer
from typer.testing import CliRunner

from warpcore.cli import picker, picker_commands
from warpcore.cli.errors import CliError
from warpcore.cli.picker import train, train_shipped
from warpcore.cli.picker_calibration import fitted
from warpcore.cli.picker_data import agreement, load_picked, read_positions
from warpcore.cli.picker_examples import TrainingOptions, batches, example, simulated_examples
from warpcore.kernels.picking._network import BACKGROUND, JUNK, PARTICLE
from warpcore.kernels.picking._weights import read_network, shipped_network
from warpcore.kernels.simulate._scenes import random_scene
from warpcore.services.formats.star_files import write_coordinates

TINY = TrainingOptions(steps=12, batch=2, scenes=3, scene_px=128, crop_px=64, seed=4, calibration_scenes=2)


def test_targets_mark_cores_junk_and_what_does_not_count() -> None:
    junk = np.zeros((64, 64), bool)
    junk[40:] = True
    one = example(np.random.default_rng(0).normal(size=(64, 64)), np.array([[20.5, 30.5]]), junk)
    assert one.classes.shape == (32, 32)
    assert one.classes[10, 15] == PARTICLE  # cell (10, 15) is centred at (20.5, 30.5)
    assert (one.classes[20:] == JUNK).all()
    assert one.classes[2, 2] == BACKGROUND
    assert one.weights[10, 15] > one.weights[2, 2] > 0
    assert one.weights[10, 15 + 2] == 0  # 4 px beside the centre: neither core nor background


def test_scenes_and_training_are_reproducible_and_the_loss_falls() -> None:
    losses: list[float] = []
    pool = simulated_examples(TINY)
    first = train(pool, TINY, on_step=lambda step, loss: losses.append(loss))
    second = train(simulated_examples(TINY), TINY)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
    assert losses[-1] < 0.9 * losses[0]


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Two micrographs of 10 Å px with their particles, one as STAR and one as CSV."""
    (tmp_path / "average").mkdir()
    (tmp_path / "matching").mkdir()
    scenes = (random_scene(np.random.default_rng([55, n]), 192) for n in range(99))
    for number, scene in zip(range(2), (s for s in scenes if len(s.centres_yx) > 10), strict=False):
        with mrcfile.new(tmp_path / "average" / f"m{number}.mrc") as file:
            file.set_data(scene.image)
            file.voxel_size = 10.0
        y, x = scene.centres_yx.T
        if number == 0:
            write_coordinates(tmp_path / "matching" / "m0_picks.star", x, y, np.ones(len(x)))
        else:
            with (tmp_path / "matching" / "m1_picks.csv").open("w", newline="") as table:
                csv.writer(table).writerows([("x", "y"), *zip(x, y, strict=True)])
    return tmp_path


def test_a_user_fine_tunes_and_measures_the_network(session: Path) -> None:
    app = typer.Typer()
    picker_commands.register(app)
    given = ["--micrographs", str(session / "average"), "--coordinates", str(session / "matching"), "--diameter", "160"]
    weights, again = session / "own.npz", session / "again.npz"
    options = ["--steps", "3", "--scenes", "2", "--curve", str(session / "curve.csv")]
    for path in (weights, again):
        trained = CliRunner().invoke(app, ["picker", "train", str(path), *given, *options])
        assert trained.exit_code == 0, trained.output
        assert trained.stdout.strip() == str(path)
    with (session / "curve.csv").open() as table:
        assert [(row["step"], float(row["loss"]) > 0) for row in csv.DictReader(table)] == [("1", True), ("3", True)]
    network = read_network(weights.read_bytes())
    assert not np.array_equal(network.parameters["classes.bias"], shipped_network().parameters["classes.bias"])
    assert again.read_bytes() == weights.read_bytes()
    measured = CliRunner().invoke(app, ["picker", "evaluate", *given, "--weights", str(weights), "--json"])
    assert measured.exit_code == 0, measured.output
    curve = json.loads(measured.stdout)
    assert [point["threshold"] for point in curve] == pytest.approx([0.1 * n for n in range(1, 10)])
    assert curve[0]["recall"] >= curve[-1]["recall"]
    for point in curve:
        picked = point["true"] + point["false"]
        assert point["precision"] == pytest.approx(point["true"] / picked if picked else 1.0)
        assert point["recall"] == pytest.approx(point["true"] / (point["true"] + point["missed"]))
    assert curve[4]["true"] + curve[4]["missed"] > 5
    shown = CliRunner().invoke(app, ["picker", "evaluate", *given, "--weights", str(weights)])
    heading, *lines = shown.stdout.splitlines()
    assert heading.split() == "threshold precision recall F1 true false missed".split()  # noqa: SIM905
    assert len(lines) == 9
    assert float(lines[4].split()[2]) == pytest.approx(curve[4]["recall"], abs=1e-3)
    assert lines[0].count("█") == round(20 * curve[0]["f1"])


def test_weights_that_cannot_be_read_are_refused_by_name(session: Path) -> None:
    app = typer.Typer()
    picker_commands.register(app)
    given = ["--micrographs", str(session / "average"), "--coordinates", str(session / "matching"), "--diameter", "160"]
    (session / "bad.npz").write_bytes(b"rubbish")
    for name, problem in (("absent.npz", "cannot be read"), ("bad.npz", "not a picker's weights file")):
        refused = CliRunner().invoke(app, ["picker", "evaluate", *given, "--weights", str(session / name)])
        assert isinstance(refused.exception, CliError)
        assert name in str(refused.exception)
        assert problem in str(refused.exception)


@pytest.mark.parametrize(
    ("package", "module", "command"),
    [("optax", "picker", ["train", "w.npz"]), ("starfile", "picker_data", ["evaluate"])],
)
def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, session: Path, package: str, module: str, command: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"warpcore.cli.{module}")
    app = typer.Typer()
    picker_commands.register(app)
    arguments = ["--micrographs", str(session), "--coordinates", str(session), "--diameter", "130"]
    result = CliRunner().invoke(app, ["picker", *command, *arguments])
    assert isinstance(result.exception, CliError)
    assert str(result.exception) == f"this needs the package {package}, which is missing: pip install 'warpcore[train]'"


def test_the_shipped_networks_script_makes_equal_files_from_a_seed(tmp_path: Path) -> None:
    told: list[str] = []
    for name in ("a", "b"):
        train_shipped(tmp_path / f"{name}.npz", TINY, told.append, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read_network((tmp_path / "a.npz").read_bytes())
    assert any("step 11 loss" in line for line in told)


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picker, "CHECKPOINT_STEPS", 4)
    pool = simulated_examples(TINY, tmp_path)
    whole = train(pool, TINY, checkpoint=tmp_path / "whole.npz")

    def stop(step: int, loss: float) -> None:
        if step == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(pool, TINY, checkpoint=tmp_path / "state.npz", on_step=stop)
    steps: list[int] = []
    again = simulated_examples(TINY, tmp_path)  # as they were kept
    resumed = train(again, TINY, checkpoint=tmp_path / "state.npz", on_step=lambda step, loss: steps.append(step))
    assert steps == [11], "it went on from step 8, and only every fiftieth and the last are told"
    for name, value in whole.items():
        np.testing.assert_array_equal(value, resumed[name])
    first = next(batches(pool, TINY, 8))
    for one, other in zip(first, next(batches(again, TINY, 8)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_calibration_finds_the_odds_it_was_given() -> None:
    """Two normal distributions of log odds, whose true slope and offset are known, and a value that tells nothing."""
    rng = np.random.default_rng(2)
    true = rng.random(20000) < 0.25
    values = np.stack([np.where(true, 2.0, -1.0) + 1.5 * rng.normal(size=20000), rng.normal(size=20000)], axis=1)
    slope, nothing, offset = fitted(values, true, np.array([1.0, 0.0, 0.0]))
    assert slope == pytest.approx(3 / 1.5**2, abs=0.05)  # measured 1.325, truth 1.333
    assert nothing == pytest.approx(0, abs=0.08)  # measured -0.057, 2.5 of its standard errors
    assert offset == pytest.approx(np.log(0.25 / 0.75) - 1.5 / 1.5**2, abs=0.06)
    assert fitted(np.zeros((0, 1)), np.zeros(0, bool), np.array([1.0, 0.0])).tolist() == [1.0, 0.0]


def test_coordinates_are_read_as_they_were_written_or_refused_by_name(session: Path) -> None:
    first, second = load_picked(session / "average", session / "matching", None)
    assert first.pixel_size_angstrom == pytest.approx(10.0)
    assert len(first.xy_px) > 10
    assert len(second.xy_px) > 10
    bad = session / "matching" / "m0.star"
    bad.write_text("data_\n\nloop_\n_rlnFoo #1\n1\n")
    with pytest.raises(CliError, match=r"m0\.star: no coordinates"):
        read_positions(bad)
    with pytest.raises(CliError, match="--suffix"):
        load_picked(session / "average", session / "matching", None)
    assert len(load_picked(session / "average", session / "matching", None, "picks")) == 2
    with pytest.raises(CliError, match="no such folder"):
        load_picked(session / "absent", session / "matching", None)


def test_agreement_counts_pairs_once_and_leaves_edges_out() -> None:
    picks = np.array([[50.0, 50.0], [52.0, 50.0], [80.0, 20.0], [2.0, 50.0]])
    truth = np.array([[51.5, 50.0], [20.0, 80.0], [3.0, 50.0]])
    found = agreement(picks, truth, (100, 100), radius=5, margin=10)
    assert found == (1, 2, 1)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(1 / 2)
    assert found.f1 == pytest.approx(2 / 5)


@pytest.mark.slow
def test_diameters_are_suggested_for_averages_and_movies(session: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    picker_commands.register(app)
    averages = [str(path) for path in sorted((session / "average").glob("*.mrc"))]
    told = CliRunner().invoke(app, ["picker", "suggest", *averages, "--smallest", "120", "--largest", "200", "--json"])
    assert told.exit_code == 0, told.output
    for one in json.loads(told.stdout):
        assert 120 <= one["diameter_angstrom"] <= 400
        assert one["evidence"] > 0
    frames = np.random.default_rng(0).poisson(2.0, (4, 256, 256)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    given = ["--set", "import.pixel_size=4", "--smallest", "130", "--largest", "180"]
    noise = CliRunner().invoke(app, ["picker", "suggest", str(tmp_path / "movie.tif"), *given])
    assert noise.exit_code == 0, noise.output
    assert "no particles stand out from noise" in noise.stdout
    absent = CliRunner().invoke(app, ["picker", "suggest", str(tmp_path / "absent.tif")])
    assert isinstance(absent.exception, CliError)
    assert "absent.tif: no such file" in str(absent.exception)
