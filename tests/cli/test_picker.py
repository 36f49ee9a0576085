"""Training of the picker: targets, reproducibility, and that it learns."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from warpcore.cli import picker_commands
from warpcore.cli.errors import CliError
from warpcore.cli.picker import TrainingOptions, example, simulated_examples, train
from warpcore.cli.picker_data import agreement, load_picked, read_positions
from warpcore.kernels.picking_network import BACKGROUND, JUNK, PARTICLE
from warpcore.kernels.picking_weights import read_network
from warpcore.kernels.simulation_scenes import random_scene
from warpcore.services.movies.star_files import write_coordinates

TINY = TrainingOptions(steps=12, batch=2, scenes=3, scene_px=128, crop_px=64, seed=4)


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
    weights = session / "own.npz"
    trained = CliRunner().invoke(app, ["picker", "train", str(weights), *given, "--steps", "3", "--scenes", "1"])
    assert trained.exit_code == 0, trained.output
    read_network(weights.read_bytes())
    measured = CliRunner().invoke(app, ["picker", "evaluate", *given, "--weights", str(weights), "--json"])
    assert measured.exit_code == 0, measured.output
    curve = json.loads(measured.stdout)
    assert [point["threshold"] for point in curve] == pytest.approx([0.1 * n for n in range(1, 10)])
    assert curve[0]["recall"] >= curve[-1]["recall"]
    assert curve[4]["true"] + curve[4]["missed"] > 5


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
