"""`warpcore gain-check` on simulated movies and on files that tell nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import tifffile

from tests.services.movie_files import write_eer
from warpcore.services.formats.mrc_writer import write_mrc

Command = Callable[..., Any]
FITS = "import.gain_flip_x=false import.gain_flip_y=true import.gain_transpose=false"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two movies and their gain; also the gain upside down, inverted, of another camera, flat, of another size."""
    folder = tmp_path_factory.mktemp("movies")
    random = np.random.default_rng(1)
    gain = (1 + random.normal(0, 0.02, (256, 1)).T + random.normal(0, 0.02, (256, 256))).astype(np.float32)
    for number in (1, 2):
        specimen = 1 + scipy.ndimage.gaussian_filter(random.normal(0, 1, gain.shape), 4)
        frames = random.poisson(4 * specimen / gain, (5, *gain.shape)).astype(np.uint8)
        tifffile.imwrite(folder / f"movie_{number:04d}.tif", frames[:, ::-1], photometric="minisblack")
    others = {
        "gain": gain,
        "upside_down": gain[::-1],
        "inverse": 1 / gain,
        "other": np.random.default_rng(2).normal(1, 0.03, gain.shape),
        "flat": np.ones_like(gain),
        "small": gain[:, :128],
    }
    for name, image in others.items():
        write_mrc(folder / f"{name}.mrc", np.ascontiguousarray(image), 2.0)
    (folder / "a_damaged.tif").write_text("no movie")
    return folder


def test_the_orientation_is_told_with_a_figure_for_each_as_a_program(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "warpcore.cli.main", "gain-check", str(folder), str(folder / "upside_down.mrc")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    header, *rows, figures, conclusion = done.stdout.splitlines()
    assert header.split()[:3] == ["import.gain_flip_x", "import.gain_flip_y", "import.gain_transpose"]
    assert len(rows) == 8
    (marked,) = [row for row in rows if "fits" in row]
    assert marked.split()[:3] == ["false", "true", "false"]
    assert float(marked.split()[3]) == pytest.approx(1, abs=0.15)  # measured 0.98, error 0.03
    assert "1 movie" in figures
    assert conclusion.endswith(f"upside_down.mrc fits turned: {FITS}")
    # What is no movie is said and left out.
    assert {"a_damaged.tif", "flat.mrc"} <= {Path(line.split(": ")[1]).name for line in done.stderr.splitlines()}


def test_as_json_stdout_is_one_document(folder: Path, command: Command) -> None:
    done = command("gain-check", str(folder / "movie_*.tif"), str(folder / "upside_down.mrc"), "--json")
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "found"
    assert " ".join(f"{name}={str(value).lower()}" for name, value in answer["best"].items()) == FITS
    assert len(answer["orientations"]) == 8
    assert answer["movies"] == 1


@pytest.mark.parametrize(
    ("gain", "reason"),
    [
        ("inverse.mrc", "the movies show the inverse of its pattern with import.gain_flip_x=false"),
        ("other.mrc", "cannot tell: the movies show its pattern in no orientation"),
        ("flat.mrc", "cannot tell: the gain has no pattern of its own"),
        ("small.mrc", "the gain is 128 × 256 px, the movie 256 × 256 px"),
        ("none.mrc", "cannot be read"),
        ("a_damaged.tif", "is no TIFF"),
    ],
)
def test_what_cannot_be_told_is_one_line_and_ends_in_1(folder: Path, command: Command, gain: str, reason: str) -> None:
    done = command("gain-check", str(folder / "movie_0001.tif"), str(folder / gain))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert gain in done.stderr


def test_movies_on_a_pedestal_are_one_line_and_end_in_1(folder: Path, command: Command, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", tifffile.imread(folder / "movie_0001.tif") + 100, photometric="minisblack")
    done = command("gain-check", str(tmp_path / "a.tif"), str(folder / "gain.mrc"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "gain.mrc: about 96 % of the movies' counts seem to be a constant" in done.stderr


def test_no_movies_is_one_line(folder: Path, command: Command, tmp_path: Path) -> None:
    for movies, reason in (
        (str(tmp_path / "*.tif"), "no movies there"),
        (str(folder / "a_damaged.tif"), "none of these"),
    ):
        done = command("gain-check", movies, str(folder / "gain.mrc"))
        assert done.returncode == 1
        assert reason in done.stderr.splitlines()[-1]


def test_too_few_counts_say_so_and_more_movies_help(tmp_path: Path, command: Command) -> None:
    random = np.random.default_rng(3)
    gain = random.normal(1, 0.03, (200, 200)).astype(np.float32)
    write_mrc(tmp_path / "g.mrc", gain, 1.0)
    for number in range(8):
        frames = random.poisson(0.1 / gain, (4, 200, 200)).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{number}.tif", frames[:, ::-1], photometric="minisblack")
    done = command("gain-check", str(tmp_path / "0.tif"), str(tmp_path / "g.mrc"))
    assert done.returncode == 1
    assert "cannot tell: too few counts" in done.stderr
    done = command("gain-check", str(tmp_path / "*.tif"), str(tmp_path / "g.mrc"))
    assert done.returncode == 0
    assert "movies, " in done.stdout
    assert "fits as it is" in done.stdout


@pytest.mark.parametrize(("suffix", "sense"), [(".gain", 1), (".mrc", -1)])
def test_eer_gains_are_held_against_the_cameras_own_pixels_in_their_own_sense(
    tmp_path: Path, command: Command, suffix: str, sense: int
) -> None:
    random = np.random.default_rng(4)
    gain = random.normal(1, 0.1, (96, 96)).astype(np.float32)
    frames = [
        [(int(i), 0, 0) for i in np.flatnonzero(random.uniform(size=96 * 96) < 0.6 / gain.ravel())] for _ in range(40)
    ]
    write_eer(tmp_path / "a.eer", frames, (96, 96))
    stored = np.ascontiguousarray(gain[:, ::-1]) ** sense
    path = tmp_path / f"g{suffix}"
    if suffix == ".gain":
        tifffile.imwrite(path, stored, photometric="minisblack")
    else:
        write_mrc(path, stored, 1.0)
    done = command("gain-check", str(tmp_path / "a.eer"), str(path))
    assert done.returncode == 0, done.stderr
    assert "import.gain_flip_x=true import.gain_flip_y=false import.gain_transpose=false" in done.stdout
