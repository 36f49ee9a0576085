"""EER movies encoded by the test: run lengths of 7 and 8 bits, upsampling, fractionation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import rendered, write_eer
from warpcore.services.readers.eer import fractionation
from warpcore.services.readers.movies import pixel_size_angstrom, read_header, read_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

SHAPE = (12, 300)
METADATA = b'<metadata><item name="sensorPixelSize.width" unit="m">0.9E-10</item></metadata>'


def events(frames: int, per_frame: int = 40) -> list[list[tuple[int, int, int]]]:
    random = np.random.default_rng(5)
    pixels = [random.choice(SHAPE[0] * SHAPE[1], per_frame, replace=False) for _ in range(frames)]
    return [[(int(p), *map(int, random.integers(0, 4, 2))) for p in frame] for frame in pixels]


def settings(**values: object) -> ImportSettings:
    return ImportSettings.model_validate({"eer_groups": None, **values})


@pytest.mark.parametrize("upsampling", [1, 2, 4])
@pytest.mark.parametrize(("compression", "skip_bits"), [(65000, 8), (65001, 7), (65002, 7), (65002, 5)])
def test_events_land_in_their_pixels(tmp_path: Path, compression: int, skip_bits: int, upsampling: int) -> None:
    frames = events(4)
    write_eer(tmp_path / "a.eer", frames, SHAPE, compression, skip_bits, METADATA)
    wanted = settings(eer_upsampling=upsampling, eer_frames_per_group=2)
    raw = read_movie(tmp_path / "a.eer", wanted)
    np.testing.assert_array_equal(raw.frames[0], rendered(frames[:2], SHAPE, upsampling))
    np.testing.assert_array_equal(raw.frames[1], rendered(frames[2:], SHAPE, upsampling))
    assert raw.frames.dtype == np.uint8
    assert raw.pixel_size_angstrom == pytest.approx(0.9 / upsampling)
    set_to = wanted.model_copy(update={"pixel_size": 0.9})
    assert pixel_size_angstrom(raw, set_to) == pytest.approx(pixel_size_angstrom(raw, wanted)), "of the physical pixel"
    header = read_header(tmp_path / "a.eer", wanted)
    assert (header.frames, header.height, header.width) == raw.frames.shape
    assert header.pixel_size_angstrom == raw.pixel_size_angstrom


def test_counts_do_not_depend_on_upsampling(tmp_path: Path) -> None:
    write_eer(tmp_path / "a.eer", events(3), SHAPE)
    sums = [read_movie(tmp_path / "a.eer", settings(eer_upsampling=u)).frames.sum(dtype=np.int64) for u in (1, 2, 4)]
    assert sums == [120, 120, 120]


@pytest.mark.parametrize(
    ("raw", "values", "groups", "size", "unused"),
    [
        (100, {"eer_groups": 40}, 40, 2, 20),
        (1000, {"eer_groups": 40}, 40, 25, 0),
        (30, {"eer_groups": 40}, 30, 1, 0),
        (100, {"eer_frames_per_group": 30}, 3, 30, 10),
        (100, {"eer_groups": 40, "eer_frames_per_group": 10}, 10, 10, 0),
        (100, {"eer_dose_per_group": 1.0, "dose_per_frame": 0.048}, 4, 21, 16),
        (100, {}, 100, 1, 0),
        (7, {"eer_frames_per_group": 10}, 1, 7, 0),
    ],
)
def test_fractionation(raw: int, values: dict[str, object], groups: int, size: int, unused: int) -> None:
    plan = fractionation(raw, settings(**values))
    assert (plan.groups, plan.size, plan.unused) == (groups, size, unused)


def test_dose_per_group_tells_the_dose_of_what_is_returned(tmp_path: Path) -> None:
    write_eer(tmp_path / "a.eer", events(10), SHAPE)
    wanted = settings(eer_dose_per_group=0.3, dose_per_frame=0.1)
    raw = read_movie(tmp_path / "a.eer", wanted)
    assert raw.frames.shape[0] == 3
    assert raw.dose_factor * wanted.dose_per_frame == pytest.approx(0.3)
    assert raw.notes == ("1 of 10 raw frames at the end left out",)
    assert (raw.raw_frames_per_frame, raw.is_eer) == (3, True)


def test_skipping_counts_groups(tmp_path: Path) -> None:
    frames = events(8)
    write_eer(tmp_path / "a.eer", frames, SHAPE)
    raw = read_movie(tmp_path / "a.eer", settings(eer_frames_per_group=2, skip_first=1, skip_last=1))
    assert (raw.first_frame, len(raw.frames)) == (1, 2)
    np.testing.assert_array_equal(raw.frames[0], rendered(frames[2:4], SHAPE, 1))


def test_wide_groups_sum_into_16_bits(tmp_path: Path) -> None:
    frames = [[(17, 0, 0)]] * 300
    write_eer(tmp_path / "a.eer", frames, (4, 10))
    raw = read_movie(tmp_path / "a.eer", settings(eer_groups=1))
    assert raw.frames.dtype == np.uint16
    assert raw.frames[0, 1, 7] == 300


def test_an_integrated_image_in_front_is_not_a_frame(tmp_path: Path) -> None:
    frames = events(4)
    path = tmp_path / "a.eer"
    write_eer(path, frames, SHAPE, metadata=METADATA)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags[259].overwrite(1)  # no longer events: another kind of page
    raw = read_movie(path, settings())
    np.testing.assert_array_equal(raw.frames, [rendered([frame], SHAPE, 1) for frame in frames[1:]])


def test_a_file_without_events_is_no_eer(tmp_path: Path) -> None:
    path = tmp_path / "a.eer"
    tifffile.imwrite(path, np.zeros((4, 10), np.uint16))
    with pytest.raises(InputError, match="without EER frames"):
        read_movie(path, settings())


def test_raw_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.eer"
    write_eer(path, events(3), SHAPE)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[2].tags[257].overwrite(SHAPE[0] + 1)
    with pytest.raises(InputError, match=r"a\.eer: frame 2 is \(13, 300\), frame 0 is \(12, 300\)"):
        read_movie(path, settings())


def test_truncated_eer_is_refused(tmp_path: Path) -> None:
    write_eer(tmp_path / "a.eer", events(5), SHAPE)
    data = (tmp_path / "a.eer").read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 3):
        (tmp_path / "b.eer").write_bytes(data[:length])
        with pytest.raises(InputError, match=r"b\.eer"):
            read_movie(tmp_path / "b.eer", settings())
