"""Gain references and defect files: orientation, senses, sizes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_dm4, write_raw_mrc
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.gain import read_gain
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

IMAGE = np.random.default_rng(6).uniform(0.5, 1.5, (4, 6)).astype(np.float32)


def mrc(path: Path, image: np.ndarray = IMAGE) -> Path:
    write_mrc(path, image, 1.0)
    return path


def tiff(path: Path, image: np.ndarray = IMAGE) -> Path:
    tifffile.imwrite(path, image, photometric="minisblack")
    return path


def gain_of(path: Path, shape: tuple[int, int] | None = (4, 6), eer: bool = False, **values: object) -> np.ndarray:
    settings = ImportSettings.model_validate({"gain_path": str(path), **values})
    gain = read_gain(settings, shape, eer)
    assert gain is not None
    return gain.multiplier


def test_no_gain_set_is_none() -> None:
    assert read_gain(ImportSettings(), (4, 6)) is None
    assert read_defects(ImportSettings(), (4, 6)) is None


def test_tiff_gain_is_flipped_in_y_like_tiff_movies_and_mrc_and_eer_gains_are_not(tmp_path: Path) -> None:
    np.testing.assert_array_equal(gain_of(mrc(tmp_path / "g.mrc")), IMAGE)
    np.testing.assert_array_equal(gain_of(tiff(tmp_path / "g.tif")), IMAGE[::-1])
    np.testing.assert_array_equal(gain_of(tiff(tmp_path / "g.gain")), IMAGE)


def test_flips_come_before_the_transpose(tmp_path: Path) -> None:
    path = mrc(tmp_path / "g.mrc")
    np.testing.assert_array_equal(gain_of(path, gain_flip_x=True), IMAGE[:, ::-1])
    np.testing.assert_array_equal(gain_of(path, gain_flip_y=True), IMAGE[::-1])
    np.testing.assert_array_equal(gain_of(path, (6, 4), gain_transpose=True), IMAGE.T)
    np.testing.assert_array_equal(gain_of(path, (6, 4), gain_transpose=True, gain_flip_x=True), IMAGE[:, ::-1].T)


def test_zero_negative_and_nonfinite_gain_pixels_are_defects_with_factor_one(tmp_path: Path) -> None:
    image = IMAGE.copy()
    image[0, 0], image[1, 1], image[2, 2], image[3, 3] = 0, -1, np.nan, np.inf
    write_raw_mrc(tmp_path / "g.mrc", image.astype("<f4").tobytes(), (6, 4, 1), 2)
    gain = read_gain(ImportSettings(gain_path=str(tmp_path / "g.mrc")), (4, 6))
    assert gain is not None
    assert np.argwhere(gain.defects).tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert (gain.multiplier[gain.defects] == 1).all()
    assert np.isfinite(gain.multiplier).all()


def test_for_eer_an_mrc_divides_and_a_gain_file_multiplies(tmp_path: Path) -> None:
    np.testing.assert_allclose(gain_of(mrc(tmp_path / "g.mrc", IMAGE * 500), eer=True), IMAGE.mean() / IMAGE, rtol=1e-6)
    np.testing.assert_array_equal(gain_of(tiff(tmp_path / "g.gain"), eer=True), IMAGE)


def test_eer_gains_are_resampled_to_the_movie_and_others_are_not(tmp_path: Path) -> None:
    path = tiff(tmp_path / "g.gain")
    np.testing.assert_array_equal(gain_of(path, (8, 12), eer=True), IMAGE.repeat(2, 0).repeat(2, 1))
    np.testing.assert_allclose(gain_of(path, (2, 3), eer=True), IMAGE.reshape(2, 2, 3, 2).mean(axis=(1, 3)), rtol=1e-6)
    with pytest.raises(InputError, match=r"the gain is 6 × 4 px, the movie 12 × 8 px"):
        gain_of(mrc(tmp_path / "g.mrc"), (8, 12))


def test_a_misfit_names_setting_file_both_sizes_and_the_transpose(tmp_path: Path) -> None:
    path = mrc(tmp_path / "g.mrc")
    with pytest.raises(
        InputError, match=r"import\.gain_path = .*g\.mrc: the gain is 6 × 4 px, the movie 4 × 6 px \(it would fit"
    ):
        gain_of(path, (6, 4))
    assert gain_of(path, None).shape == (4, 6)


def test_unusable_gains_say_why(tmp_path: Path) -> None:
    (tmp_path / "g.dm4").write_bytes(b"x")
    (tmp_path / "g.png").write_bytes(b"x")
    (tmp_path / "g.tif").write_bytes(b"text")
    mrc(tmp_path / "zero.mrc", np.zeros((4, 6)))
    for name, reason in (
        ("none.mrc", "cannot be read"),
        ("g.dm4", "not a Digital Micrograph file"),
        ("g.png", "known are .mrc, .tif, .tiff, .gain, .dm3 and .dm4"),
        ("g.tif", "is no TIFF"),
        ("zero.mrc", "no positive value"),
    ):
        with pytest.raises(InputError, match=reason):
            gain_of(tmp_path / name)


@pytest.mark.parametrize("thumbnail", [True, False])
def test_a_dm4_gain_is_flipped_in_y_as_imods_dm2mrc_does(tmp_path: Path, thumbnail: bool) -> None:
    pytest.importorskip("ncempy.io.dm", reason="reading .dm4 needs the extra warpcore[dm]", exc_type=ImportError)
    write_dm4(tmp_path / "g.dm4", IMAGE, thumbnail=thumbnail)
    np.testing.assert_array_equal(gain_of(tmp_path / "g.dm4"), IMAGE[::-1])
    np.testing.assert_array_equal(gain_of(tmp_path / "g.dm4", gain_flip_y=True), IMAGE)
    whole = (tmp_path / "g.dm4").read_bytes()
    for length in (4, 20, len(whole) // 2, len(whole) - 60):
        (tmp_path / "cut.dm4").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut\.dm4"):
            gain_of(tmp_path / "cut.dm4")


def test_without_the_library_a_dm4_gain_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dm4(tmp_path / "g.dm4", IMAGE)
    monkeypatch.setitem(sys.modules, "ncempy.io.dm", None)  # as Python itself marks what cannot be imported
    monkeypatch.setitem(sys.modules, "ncempy", None)
    with pytest.raises(
        InputError, match=r"g\.dm4: reading \.dm4 needs .* pip install 'warpcore\[dm\]'.* dm2mrc"
    ) as raised:
        gain_of(tmp_path / "g.dm4")
    assert "\n" not in str(raised.value)


def test_a_gain_is_read_again_only_when_its_file_changes(tmp_path: Path) -> None:
    path = mrc(tmp_path / "g.mrc")
    first = gain_of(path)
    assert gain_of(path) is first
    mrc(path, IMAGE[:, :5])
    assert gain_of(path, (4, 5)).shape == (4, 5)


def defects_of(path: Path, shape: tuple[int, int] = (4, 6), **values: object) -> list[list[int]]:
    mask = read_defects(ImportSettings.model_validate({"defects_path": str(path), **values}), shape)
    assert mask is not None
    assert mask.shape == shape
    return [list(map(int, yx)) for yx in np.argwhere(mask)]


def test_defect_maps_turn_with_the_gain(tmp_path: Path) -> None:
    image = np.zeros((4, 6), np.float32)
    image[1, 5] = 7
    assert defects_of(mrc(tmp_path / "d.mrc", image)) == [[1, 5]]
    assert defects_of(tiff(tmp_path / "d.tif", image.astype(np.uint8))) == [[2, 5]]
    assert defects_of(tmp_path / "d.mrc", gain_flip_x=True) == [[1, 0]]
    with pytest.raises(InputError, match=r"import\.defects_path = .*6 × 4 px, the movie is 7 × 4 px"):
        defects_of(tmp_path / "d.mrc", (4, 7))


def test_rows_of_boxes(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("# x y w h\n1 2 2 1  # two pixels\n\n5 0 1 9\n")
    assert defects_of(path) == [[0, 5], [1, 5], [2, 1], [2, 2], [2, 5], [3, 5]]
    for text, reason in (
        ("1 2 3\n", "line 1: 3 numbers"),
        ("1 2 3 -1\n", "outside"),
        ("9 0 1 1\n", "outside"),
        ("1 2 x 1\n", "line 1: whole numbers belong there"),
        ("1 2 1.5 1\n", "whole numbers belong there"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=reason):
            defects_of(path)


@pytest.mark.parametrize("suffix", [".mrc", ".tif"])
def test_a_movie_given_as_gain_or_defect_map_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"movie{suffix}"
    frames = np.stack([IMAGE] * 3)
    (mrc if suffix == ".mrc" else tiff)(path, frames)
    with pytest.raises(InputError, match=rf"movie{suffix}: holds 3 frames, so it is a movie; give a file of one image"):
        gain_of(path)
    with pytest.raises(InputError, match="holds 3 frames"):
        defects_of(path)
