"""Which way a gain lies: told from counts with a known sensitivity, and not told where counts cannot say."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.image._orientation import ORIENTATIONS, GainMatches, Orientation, centre, match_gain

UPRIGHT = Orientation(False, False, False)


def gain_of(shape: tuple[int, int], seed: int = 1, pixel: float = 0.02, column: float = 0.02) -> np.ndarray:
    """Columns and pixels that differ by a few percent, as amplifiers and pixels do."""
    random = np.random.default_rng(seed)
    return (1 + random.normal(0, column, shape[1])[None] + random.normal(0, pixel, shape)).astype(np.float32)


def counted(gain: np.ndarray, electrons: float = 24.0, seed: int = 2) -> np.ndarray:
    """Counts of a specimen (waves, an edge of carbon, a dark corner) on a detector that needs this gain."""
    y, x = np.mgrid[: gain.shape[0], : gain.shape[1]]
    specimen = (1 + 0.2 * np.sin(x / 17) * np.cos(y / 23)) * np.where(x + y < 90, 0.05, 1) * np.where(x > 200, 0.8, 1)
    return np.random.default_rng(seed).poisson(electrons * specimen / gain).astype(np.float32)


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_each_of_the_eight_orientations_is_told(orientation: Orientation) -> None:
    upright = gain_of((256, 300) if not orientation.transpose else (300, 256))
    counts = counted(orientation.turned(upright))
    counts.ravel()[np.random.default_rng(3).choice(counts.size, 20)] = 2000  # hot pixels
    found = match_gain(counts, upright)
    assert (found.verdict, found.best) == ("found", orientation)
    right = found.of(orientation)
    assert right is not None
    assert right.share == pytest.approx(1, abs=4 * right.error)
    assert right.error < 0.05  # measured 0.026 to 0.032
    assert len(found.matches) == 4  # the others do not fit the movie's size
    columns_too = Orientation(orientation.flip_x, not orientation.flip_y, orientation.transpose)
    for match in found.matches:
        # Columns look the same upside down: half of this pattern's variance. Of the others nothing is found (measured
        # up to 0.11).
        expected = {orientation: 1.0, columns_too: 0.5}.get(match.orientation, 0.0)
        assert match.share == pytest.approx(expected, abs=0.2)


def test_turning_is_undone_and_keeps_the_middle() -> None:
    image = np.arange(30).reshape(5, 6)
    for orientation in ORIENTATIONS:
        np.testing.assert_array_equal(orientation.undone(orientation.turned(image)), image)
        turned_first = centre(orientation.turned(image), 3)
        np.testing.assert_array_equal(turned_first, orientation.turned(centre(image, 3)))
    assert len({orientation.turned(image).tobytes() for orientation in ORIENTATIONS}) == 8


def test_the_error_is_what_repetition_shows() -> None:
    gain = gain_of((128, 128))
    matches = [match_gain(counted(gain, 4.0, seed), gain).of(UPRIGHT) for seed in range(40)]
    shares = np.array([match.share for match in matches if match])
    told = np.mean([match.error for match in matches if match])
    assert told == pytest.approx(shares.std(), rel=0.35)  # measured 0.161 told, 0.176 seen; 40 draws know it to 11 %
    assert shares.mean() == pytest.approx(1, abs=4 * told / np.sqrt(40))


def verdict(counts: np.ndarray, gain: np.ndarray) -> GainMatches:
    return match_gain(counts.astype(np.float32), gain)


def test_a_gain_in_the_other_sense_is_told_with_its_orientation() -> None:
    gain = gain_of((256, 256))
    turned = Orientation(True, False, True)
    found = verdict(counted(turned.turned(gain)), 1 / gain)
    assert (found.verdict, found.best) == ("inverse", turned)


def test_what_cannot_be_told_is_not_told() -> None:
    gain = gain_of((256, 256))
    counts = counted(gain)
    assert verdict(counts * gain, gain).verdict == "absent"  # applied already
    assert verdict(counts, gain_of((256, 256), seed=9)).verdict == "absent"  # another camera's
    assert verdict(counts, np.full((256, 256), 3.0, np.float32)).verdict == "flat"
    assert verdict(counted(gain, 0.05), gain).verdict == "faint"
    assert verdict(np.zeros((256, 256)), gain).verdict == "faint"


@pytest.mark.parametrize("orientation", [ORIENTATIONS[0], ORIENTATIONS[6]], ids=str)
@pytest.mark.parametrize(("electrons", "pedestal", "noise"), [(2, 24, 0), (24, 2400, 0), (24, 2400, 10), (80, 2400, 0)])
def test_counts_on_a_pedestal_are_told_in_any_orientation(
    orientation: Orientation, electrons: float, pedestal: int, noise: float
) -> None:
    """Summed over 24 frames with 1 or 100 more in each, and with read-out noise of 2 counts a frame."""
    gain = gain_of((256, 256), pixel=0.03)
    read_out = np.rint(np.random.default_rng(4).normal(0, noise, gain.shape))
    found = verdict(counted(orientation.turned(gain), electrons) + pedestal + read_out, gain)
    assert (found.verdict, found.best) == ("pedestal", orientation)
    part = found.of(orientation)
    assert part is not None
    share = 0.88 * electrons / (0.88 * electrons + pedestal)  # the specimen's mean is 0.88
    assert part.share == pytest.approx(share, rel=0.3)


@pytest.mark.parametrize("electrons", [0.5, 4, 24, 400])
@pytest.mark.parametrize("left", [0, 0.1, 0.5, 1])
@pytest.mark.parametrize("bits", [1, 300])
def test_counts_that_begin_at_zero_lie_on_no_pedestal(electrons: float, left: float, bits: int) -> None:
    """Corrected, by a gain that has grown old, or not; counted, and with 300 counts an electron."""
    gain = gain_of((256, 256))
    assert verdict(bits * counted(1 + left * (gain - 1), electrons), gain).verdict != "pedestal"


def test_counts_add_up_over_movies_until_they_tell() -> None:
    gain = gain_of((128, 128))
    one = counted(gain, 0.5, 1)
    assert verdict(one, gain).verdict == "faint"
    assert verdict(sum((counted(gain, 0.5, seed) for seed in range(2, 80)), one), gain).verdict == "found"


def test_a_gain_of_columns_alone_looks_the_same_upside_down() -> None:
    gain = gain_of((256, 256), pixel=0.0)
    assert verdict(counted(gain, 5.0), gain).verdict == "faint"  # could still be told apart by more counts
    found = verdict(counted(gain, 100.0), gain)
    assert found.verdict == "same"
    assert set(found.alike) == {UPRIGHT, Orientation(False, True, False)}


def test_defects_and_empty_pixels_do_not_count() -> None:
    gain = gain_of((256, 256))
    counts = counted(gain)
    counts[40:43] = 0
    counts[:, 77] = 5000
    defects = np.zeros(gain.shape, bool)
    defects[40:43], defects[:, 77] = True, True
    marked = np.where(defects, 0, gain)
    for found in (match_gain(counts, gain, defects), match_gain(counts, marked), match_gain(counts, gain)):
        right = found.of(UPRIGHT)
        assert right is not None
        assert found.best == UPRIGHT
        assert right.share == pytest.approx(1, abs=4 * right.error)


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="the gain is 70 x 64 px"):
        match_gain(np.ones((64, 64), np.float32), np.ones((64, 70), np.float32))
    with pytest.raises(ValueError, match="too small"):
        match_gain(np.ones((32, 64), np.float32), np.ones((32, 64), np.float32))
