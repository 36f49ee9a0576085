"""The eye on the gain while movies are processed: it warns of a wrong one, of nothing else, and changes no result."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import tifffile

from warpcore.kernels.image._orientation import ORIENTATIONS, Orientation
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.readers.gain import Gain, read_gain
from warpcore.services.readers.reference import orient
from warpcore.services.session.settings import ImportSettings, parse_settings
from warpcore.services.worker.gain_watch import MOST_MOVIES, GainWatch, orientation_of
from warpcore.services.worker.local import process_files

RANDOM = np.random.default_rng(5)
UPRIGHT = (1 + RANDOM.normal(0, 0.03, (256, 256))).astype(np.float32)


def counts_for(gain: np.ndarray, electrons: float = 24.0) -> np.ndarray:
    return np.random.default_rng(6).poisson(electrons / gain).astype(np.float32)


def imported(orientation: Orientation, path: Path | None = None) -> ImportSettings:
    return ImportSettings(
        gain_path=None if path is None else str(path),
        gain_flip_x=orientation.flip_x,
        gain_flip_y=orientation.flip_y,
        gain_transpose=orientation.transpose,
    )


def set_gain(path: Path, orientation: Orientation) -> tuple[Gain, ImportSettings]:
    settings = imported(orientation, path)
    gain = read_gain(settings, (256, 256))
    assert gain is not None
    return gain, settings


def test_orientations_mean_what_the_settings_mean() -> None:
    image = np.arange(30).reshape(5, 6)
    for orientation in ORIENTATIONS:
        settings = imported(orientation)
        assert orientation_of(settings) == orientation
        np.testing.assert_array_equal(orientation.turned(image), orient(image, settings))


@pytest.fixture
def gain_file(tmp_path: Path) -> Path:
    write_mrc(tmp_path / "gain.mrc", UPRIGHT, 1.0)
    return tmp_path / "gain.mrc"


@pytest.mark.parametrize(("true", "given"), [(0, 2), (2, 0), (5, 0), (5, 7)])
def test_a_wrong_orientation_is_warned_of_with_the_right_one(gain_file: Path, true: int, given: int) -> None:
    watch, right, wrong = GainWatch(), ORIENTATIONS[true], ORIENTATIONS[given]
    counts = counts_for(np.asarray(right.turned(UPRIGHT)))
    assert watch.see(*set_gain(gain_file, wrong), False, lambda: counts)
    (text,) = watch.warnings
    words = [
        f"import.gain_flip_x={str(right.flip_x).lower()}",
        f"import.gain_flip_y={str(right.flip_y).lower()}",
        f"import.gain_transpose={str(right.transpose).lower()}",
    ]
    assert text.endswith(f"with {' '.join(words)}")
    assert str(gain_file) in text
    assert "\n" not in text
    # Set as it says, the warning goes with the next movie.
    assert watch.see(*set_gain(gain_file, right), False, lambda: counts)
    assert watch.warnings == ()


def test_the_right_gain_and_no_gain_are_no_warning_and_once_told_no_counts_are_asked_for(gain_file: Path) -> None:
    watch = GainWatch()
    asked: list[int] = []

    def counts() -> np.ndarray:
        asked.append(1)
        return counts_for(UPRIGHT)

    for _ in range(5):
        assert not watch.see(*set_gain(gain_file, ORIENTATIONS[0]), False, counts)
    assert not watch.see(None, ImportSettings(), False, counts)
    assert watch.warnings == ()
    assert len(asked) == 1


def test_faint_movies_are_added_up_and_given_up_after_a_few(gain_file: Path) -> None:
    wrong = set_gain(gain_file, ORIENTATIONS[2])
    random = np.random.default_rng(7)
    warned_after = {}
    for electrons in (0.5, 0.001):
        watch, movies = GainWatch(), 0
        while movies < 2 * MOST_MOVIES and not watch.warnings:
            movies += 1
            counts = random.poisson(electrons / UPRIGHT)
            watch.see(*wrong, False, lambda counts=counts: counts)
        warned_after[electrons] = movies
    assert 1 < warned_after[0.5] <= MOST_MOVIES
    assert warned_after[0.001] == 2 * MOST_MOVIES


def test_a_gain_in_the_wrong_sense_or_applied_already_is_warned_of(tmp_path: Path, gain_file: Path) -> None:
    watch = GainWatch()
    write_mrc(tmp_path / "inverse.mrc", 1 / UPRIGHT, 1.0)
    watch.see(*set_gain(tmp_path / "inverse.mrc", ORIENTATIONS[0]), False, lambda: counts_for(UPRIGHT))
    assert "write 1/gain" in watch.warnings[0]
    settings = imported(ORIENTATIONS[0], tmp_path / "inverse.mrc")
    watch.see(read_gain(settings, (256, 256), True), settings, True, lambda: counts_for(UPRIGHT))
    assert watch.warnings == ()  # an EER is divided by an .mrc
    watch.see(*set_gain(gain_file, ORIENTATIONS[0]), False, lambda: counts_for(np.ones((256, 256))))
    assert "applied already" in watch.warnings[0]


@pytest.fixture(scope="module")
def gain_and_movies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("movies")
    random = np.random.default_rng(8)
    gain = random.normal(1, 0.03, (192, 224)).astype(np.float32)
    write_mrc(folder / "gain.mrc", gain, 1.0)
    specimen = scipy.ndimage.gaussian_filter(random.normal(0, 3, gain.shape), 4)
    movies = [folder / "a.tif", folder / "b.tif"]
    for path in movies:
        frames = random.poisson(np.exp(specimen) * 3 / gain, (6, *gain.shape)).astype(np.uint8)
        tifffile.imwrite(path, frames[:, ::-1], photometric="minisblack")
    return [folder / "gain.mrc", *movies]


def processed(simulated: list[Path], processing: Path, **values: Any) -> dict[str, bytes]:
    settings = parse_settings(
        {"import": {"gain_path": str(simulated[0]), **values}, "ctf": {"enabled": False}, "motion": {"enabled": False}}
    )
    outcomes = process_files(simulated[1:], settings, processing, lambda *_: None, device="cpu")
    assert [outcome.failure for outcome in outcomes] == [None, None]
    return {path.name: path.read_bytes() for path in (processing / "average").glob("*.mrc")}


def test_references_that_were_registered_as_movies_are_not_looked_at(
    gain_and_movies: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gain, first, _ = gain_and_movies
    pixels = read_gain(ImportSettings(gain_path=str(gain)), (192, 224))
    assert pixels is not None
    references = [tmp_path / name for name in ("link.mrc", "old_gain.tif", "floats.mrc")]
    references[0].symlink_to(gain)
    tifffile.imwrite(references[1], (1000 / pixels.multiplier[::-1]).astype(np.uint16), photometric="minisblack")
    write_mrc(references[2], pixels.multiplier, 1.0)
    for number, reference in enumerate(references):
        with caplog.at_level(logging.WARNING):
            processed([gain, reference, first], tmp_path / str(number))
        assert caplog.messages == []
    named = tmp_path / "camera.tif"
    tifffile.imwrite(named, (1000 * pixels.multiplier[::-1]).astype(np.uint16), photometric="minisblack")
    (tmp_path / "whole_numbers.tif").symlink_to(named)
    with caplog.at_level(logging.WARNING):
        processed([named, tmp_path / "whole_numbers.tif", first], tmp_path / "named")
    assert caplog.messages == []


def test_processing_with_a_gain_upside_down_logs_what_to_set_once(
    gain_and_movies: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        processed(gain_and_movies, tmp_path / "right")
        assert caplog.messages == []
        both = processed(gain_and_movies, tmp_path / "wrong", gain_flip_y=True)
    (told,) = caplog.messages
    assert told.endswith("with import.gain_flip_x=false import.gain_flip_y=false import.gain_transpose=false")
    # The second movie alone, whose watch has not seen the first, has the same bytes.
    alone = processed(
        [gain_and_movies[0], gain_and_movies[2], gain_and_movies[1]], tmp_path / "again", gain_flip_y=True
    )
    assert alone == both
