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
from warpcore.services.worker.gain_watch import MOST_MOVIES, NO_GAIN, GainWatch, orientation_of
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
    assert len(asked) == 2  # one for the gain, one for the pattern that movies without a gain may share


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


@pytest.mark.parametrize("given", [0, 2])
def test_movies_on_a_pedestal_are_warned_of_as_such(gain_file: Path, given: int) -> None:
    watch = GainWatch()
    assert watch.see(*set_gain(gain_file, ORIENTATIONS[given]), False, lambda: counts_for(UPRIGHT) + 2400)
    (text,) = watch.warnings
    assert text.startswith(f"gain {gain_file}: about 99 % of the movies' counts seem to be a constant")
    assert text.endswith("write movies whose counts begin at zero")
    assert "\n" not in text


def test_a_flat_gain_is_warned_of(tmp_path: Path) -> None:
    watch = GainWatch()
    write_mrc(tmp_path / "ones.mrc", np.ones((256, 256), np.float32), 1.0)
    watch.see(*set_gain(tmp_path / "ones.mrc", ORIENTATIONS[0]), False, lambda: counts_for(UPRIGHT))
    assert "it is flat, so it corrects nothing" in watch.warnings[0]


def movies_without_gain(gain: np.ndarray, electrons: float, count: int) -> list[np.ndarray]:
    """Counts of movies with a specimen each, divided by a gain."""
    random = np.random.default_rng(9)
    specimens = (np.exp(scipy.ndimage.gaussian_filter(random.normal(0, 3, gain.shape), 4)) for _ in range(count))
    return [random.poisson(electrons * specimen / gain).astype(np.float32) for specimen in specimens]


def told_without_gain(movies: list[np.ndarray], is_lone: bool = False) -> tuple[list[bool], GainWatch]:
    watch = GainWatch()
    return [watch.see(None, ImportSettings(), False, lambda one=one: one, is_lone=is_lone) for one in movies], watch


@pytest.mark.parametrize("electrons", [8.0, 40.0])
def test_movies_without_a_gain_that_share_a_pattern_are_told_of_once(electrons: float) -> None:
    told, watch = told_without_gain(movies_without_gain(UPRIGHT, electrons, 12))
    assert sum(told) == 1
    assert watch.warnings == (NO_GAIN,)


def test_the_warning_goes_when_a_gain_is_given(gain_file: Path) -> None:
    _, watch = told_without_gain(movies_without_gain(UPRIGHT, 40.0, 4))
    assert watch.warnings == (NO_GAIN,)
    assert watch.see(*set_gain(gain_file, ORIENTATIONS[0]), False, lambda: counts_for(UPRIGHT))
    assert watch.warnings == ()


@pytest.mark.parametrize("left", [0.0, 0.2])
def test_movies_that_are_corrected_already_are_not_told_of(left: float) -> None:
    """Whole, or by a gain that has grown old and leaves a fifth of the pattern, 0.6 %."""
    corrected = (1 + left * (UPRIGHT - 1)).astype(np.float32)
    for electrons in (2.0, 40.0):
        told, watch = told_without_gain(movies_without_gain(corrected, electrons, 12))
        assert (any(told), watch.warnings) == (False, ())


def test_movies_of_the_same_specimen_drifting_and_lone_images_are_not_told_of() -> None:
    random = np.random.default_rng(10)
    specimen = np.exp(scipy.ndimage.gaussian_filter(random.normal(0, 3, (256, 256)), 2))
    drifting = [random.poisson(20 * np.roll(specimen, 7 * n, (0, 1))).astype(np.float32) for n in range(12)]
    assert told_without_gain(drifting)[1].warnings == ()
    assert told_without_gain(movies_without_gain(UPRIGHT, 40.0, 12), is_lone=True)[1].warnings == ()


@pytest.mark.parametrize("averages", [0, 1, MOST_MOVIES])
def test_averages_among_movies_say_nothing_of_their_gain_and_alone_they_do(gain_file: Path, averages: int) -> None:
    """EPU's averages are whole numbers too, and have the gain already."""
    average = counts_for(np.ones((256, 256)))
    watch = GainWatch()
    for _ in range(averages):
        watch.see(*set_gain(gain_file, ORIENTATIONS[0]), False, lambda: average, is_lone=True)
    assert ["applied already" in text for text in watch.warnings] == [True] * (averages // MOST_MOVIES)
    for is_lone, counts in ((False, counts_for(UPRIGHT)), (True, average)):
        watch.see(*set_gain(gain_file, ORIENTATIONS[0]), False, lambda counts=counts: counts, is_lone=is_lone)
        assert watch.warnings == ()


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
        {
            "import": {"gain_path": str(simulated[0]), "pixel_size": 1.0, **values},
            "ctf": {"enabled": False},
            "motion": {"enabled": False},
        }
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
    references = [tmp_path / name for name in ("link.mrc", "old_gain.tif", "floats.mrc", "average.tif")]
    tifffile.imwrite(references[3], np.full((192, 224), 7, np.uint8), photometric="minisblack")
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
