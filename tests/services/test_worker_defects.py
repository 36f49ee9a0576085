"""What cameras do wrong, through all steps: hot, dead and known bad pixels, gains, EERs as RELION has them.

Files in, files out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import scipy.ndimage
import starfile
import tifffile

from tests.services.movie_files import write_eer
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.local import process_files

SHAPE = (192, 256)
HOT = [(20, 30), (20, 31), (100, 255), (150, 7)]
DEAD = [(64, 64), (0, 128)]
BOXES = [(0, 77, 256, 1), (201, 0, 2, 192), (50, 120, 20, 12)]  # x y width height: a row, two columns, a block


def processed(movie: Path, processing: Path, **imported: Any) -> np.ndarray:
    """The average of a movie without motion, by the steps that a worker takes."""
    settings = parse_settings(
        {
            "import": {"pixel_size": 1.0, **imported},
            "motion": {"enabled": False},
            "ctf": {"enabled": False},
            "export": {"dose_weighting": False},
        }
    )
    (outcome,) = process_files([movie], settings, processing, lambda *_: None, device="cpu")
    assert outcome.failure is None
    with mrcfile.open(processing / "average" / f"{movie.stem}.mrc") as file:
        return np.array(file.data)


def specimen(random: np.random.Generator, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return np.asarray(np.exp(scipy.ndimage.gaussian_filter(random.normal(0, 1.5, shape), 5)))


def cross(image: np.ndarray) -> tuple[float, float]:
    """Power along x and y of an image's spectrum, over that of the lines beside them, at all but low frequencies."""
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    height, width = image.shape
    beside = [*range(2, 9), *range(-8, -1)]
    along_x = power[0, width // 16 : width // 2].mean() / power[beside, width // 16 : width // 2].mean()
    along_y = power[height // 16 : height // 2, 0].mean() / power[height // 16 : height // 2, :][:, beside].mean()
    return float(along_x), float(along_y)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie with hot and dead pixels that nobody told of, and rows, columns and a block that are known to be bad."""
    folder = tmp_path_factory.mktemp("spoilt")
    random = np.random.default_rng(1)
    frames = random.poisson(3 * specimen(random), (12, *SHAPE)).astype(np.uint8)
    for y, x in HOT:
        frames[:, y, x] = random.poisson(30, 12)
    for y, x in DEAD:
        frames[:, y, x] = 0
    for x, y, width, height in BOXES:
        frames[:, y : y + height, x : x + width] = random.poisson(9, (12, height, width))
    tifffile.imwrite(folder / "a.tif", frames[:, ::-1], photometric="minisblack", compression="lzw")
    (folder / "defects.txt").write_text("".join(f"{x} {y} {w} {h}\n" for x, y, w, h in BOXES))
    return folder


def test_hot_and_dead_pixels_are_found_and_listed_in_the_motion_star_and_the_known_ones_in_a_map(
    spoilt: Path, tmp_path: Path
) -> None:
    processed(spoilt / "a.tif", tmp_path, defects_path=str(spoilt / "defects.txt"))
    read = starfile.read(tmp_path / "motion/a.star")
    listed = {(int(y), int(x)) for x, y in read["hot_pixels"][["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()}
    known = {(y + j, x + i) for x, y, width, height in BOXES for j in range(height) for i in range(width)}
    assert listed == {*HOT, *DEAD}
    defects = mrcfile.read(tmp_path / read["general"]["rlnMicrographDefectFile"])
    assert {(int(y), int(x)) for y, x in np.argwhere(defects != 0)} == known


def test_defects_leave_no_cross_in_the_spectrum(spoilt: Path, tmp_path: Path) -> None:
    """32 x 14 lines of exponential power: chance alone spreads the ratio by 0.1.

    Measured 0.79 and 0.87, unrepaired 115 and 93.
    """
    known = processed(spoilt / "a.tif", tmp_path / "known", defects_path=str(spoilt / "defects.txt"))
    unknown = processed(spoilt / "a.tif", tmp_path / "unknown")
    assert max(cross(known)) < 1.4
    assert min(cross(unknown)) > 5  # the figure sees a cross where there is one
    for x, y, width, height in BOXES:
        inside = known[y : y + height, x : x + width]
        around = known[max(0, y - 3) : y + height + 3, max(0, x - 3) : x + width + 3]
        assert inside.mean() == pytest.approx(around.mean(), rel=0.05)


def test_a_gain_takes_the_fixed_pattern_out_and_its_zeros_are_defects(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    gain = (1 + random.normal(0, 0.05, SHAPE[1])[None] + random.normal(0, 0.03, SHAPE)).astype(np.float32)
    frames = random.poisson(4 / gain, (10, *SHAPE)).astype(np.uint16)
    frames[:, :, 40] = 99
    tifffile.imwrite(tmp_path / "a.tif", frames[:, ::-1], photometric="minisblack")
    gain[:, 40] = 0
    write_mrc(tmp_path / "gain.mrc", gain, 1.0)
    plain = processed(tmp_path / "a.tif", tmp_path / "plain", defects_path=None)
    flat = processed(tmp_path / "a.tif", tmp_path / "flat", gain_path=str(tmp_path / "gain.mrc"))
    assert flat.var() == pytest.approx(40, rel=0.05)  # Poisson's variance of 40 electrons and no more; measured 39.7
    assert plain[:, 50:].var() > 1.1 * flat[:, 50:].var()  # by 0.05² + 0.03² times the mean, 1.14
    assert max(cross(flat)) < 1.4
    assert cross(plain)[0] > 5


@pytest.mark.parametrize(("kind", "upsampling"), [(".gain", 2), (".mrc", 1)])
def test_an_eer_as_relion_has_it(tmp_path: Path, kind: str, upsampling: int) -> None:
    """7-bit events; a gain of the camera's own size that multiplies (`.gain`) or divides (`.mrc`), zero at bad pixels.

    A text file lists defects in pixels of the rendered frames. Groups have equal numbers of raw frames.
    """
    random = np.random.default_rng(3)
    side = 96
    gain = random.normal(1, 0.08, (side, side)).astype(np.float32)
    gain[30:32] = 0
    rate = np.where(gain > 0, 0.4 / np.where(gain > 0, gain, 1), 0.9).ravel()
    raw_frames = [
        [(int(p), *map(int, random.integers(0, 4, 2))) for p in np.flatnonzero(random.uniform(size=side * side) < rate)]
        for _ in range(22)
    ]
    write_eer(tmp_path / "a.eer", raw_frames, (side, side))
    if kind == ".gain":
        tifffile.imwrite(tmp_path / "g.gain", gain, photometric="minisblack")
    else:
        write_mrc(tmp_path / "g.mrc", np.where(gain > 0, 700 / np.where(gain > 0, gain, 1), 0), 1.0)
    (tmp_path / "defects.txt").write_text(f"{10 * upsampling} 0 {upsampling} {side * upsampling}\n")
    average = processed(
        tmp_path / "a.eer",
        tmp_path / "out",
        gain_path=str(tmp_path / f"g{kind}"),
        defects_path=str(tmp_path / "defects.txt"),
        eer_upsampling=upsampling,
        eer_groups=5,
    )
    assert average.shape == (side * upsampling, side * upsampling)
    # 5 groups of 4: the last two raw frames are left out.
    scale = 1.0 if kind == ".gain" else np.mean(700 / gain[gain > 0]) / 700
    assert average.mean() * upsampling**2 == pytest.approx(20 * 0.4 * scale, rel=0.01)
    assert max(cross(average)) < 1.6  # measured 0.84 to 1.09; 42 numbers an axis
    general = starfile.read(tmp_path / "out/motion/a.star")["general"]
    assert (int(general["rlnEERGrouping"]), int(general["rlnEERUpsampling"])) == (4, upsampling)
