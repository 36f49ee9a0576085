"""SerialEM's defect lists: what was drawn into a movie comes out, and nothing of a list is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.movies import read_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

HEIGHT, WIDTH = 40, 60
SIZE = f"CameraSizeX {WIDTH}\nCameraSizeY {HEIGHT}\n"
OTHERS = "RotationAndFlip 0\nWasScaled 0\nK2Type 0\nFalconType 0\nNumToAvgSuperRes 0\nUsableArea 0 0 0 0\n"


def mask_of(path: Path, text: str, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    path.write_text(text)
    mask = read_defects(ImportSettings(defects_path=str(path)), shape)
    assert mask is not None
    assert mask.shape == shape
    return mask


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "defects_CountRef.txt"


Drawn = list[tuple[slice, slice]]

CASES: dict[str, tuple[str, Drawn]] = {
    "a partial column": ("PartialBadColumn 7 2 5 15", [(slice(5, 16), slice(7, 9))]),
    "a partial row": ("PartialBadRow 20 1 3 10", [(slice(20, 21), slice(3, 11))]),
    "columns": ("BadColumns 0 31 59", [(slice(None), slice(x, x + 1)) for x in (0, 31, 59)]),
    "rows with commas": ("BadRows 2,3", [(slice(2, 4), slice(None))]),
    "pixels": ("BadPixels 4 5 50 39", [(slice(5, 6), slice(4, 5)), (slice(39, 40), slice(50, 51))]),
    "an area": ("UsableArea 0 0 19 59", [(slice(20, None), slice(None))]),
    "an area to the end": ("UsableArea 3 2 0 0", [(slice(3), slice(None)), (slice(None), slice(2))]),
    "small letters, a comment": ("badcolumns 9 # seen on Monday", [(slice(None), slice(9, 10))]),
}


@pytest.mark.parametrize("suffix", [".tif", ".mrc"])
@pytest.mark.parametrize("case", CASES)
def test_what_was_drawn_into_a_movie_comes_out(tmp_path: Path, listed: Path, case: str, suffix: str) -> None:
    """The list counts from the top of the image as shown: of a TIFF its first row, of an MRC its last."""
    text, drawn = CASES[case]
    frames = np.ones((2, HEIGHT, WIDTH), np.uint8)
    for rows, columns in drawn:
        frames[:, rows, columns] = 0
    path = tmp_path / f"movie{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, frames, photometric="minisblack", metadata=None)
    else:
        write_mrc(path, frames[:, ::-1].astype(np.float32), 1.0)
    read = read_movie(path, ImportSettings()).frames[0]
    np.testing.assert_array_equal(mask_of(listed, f"{SIZE}{OTHERS}{text}\n"), read == 0)


def test_the_orientation_that_a_list_names_is_the_one_it_is_written_in(listed: Path) -> None:
    """IMOD's alignframes and clip turn nothing; SerialEM undoes it for frames that are not turned yet."""
    upright = mask_of(listed, f"{SIZE}{OTHERS}BadColumns 9\n")
    turned = mask_of(listed, f"{SIZE}{OTHERS.replace('RotationAndFlip 0', 'RotationAndFlip 3')}BadColumns 9\n")
    np.testing.assert_array_equal(turned, upright)
    with pytest.raises(InputError, match=r"60 × 40 px, the movie is 40 × 60 px; they are for frames .* otherwise"):
        mask_of(listed, f"{SIZE}RotationAndFlip 1\nBadColumns 9\n", (WIDTH, HEIGHT))


def test_super_resolution_and_binned_movies(listed: Path) -> None:
    text = f"{SIZE}BadPixels 9 5\nBadColumns 31\n"
    camera = mask_of(listed, text)
    for factor in (2, 4):
        finer = mask_of(listed, text, (factor * HEIGHT, factor * WIDTH))
        np.testing.assert_array_equal(finer, camera.repeat(factor, 0).repeat(factor, 1))
    binned = mask_of(listed, text, (HEIGHT // 2, WIDTH // 2))
    np.testing.assert_array_equal(binned, camera.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any((1, 3)))
    # 13 whole blocks of 3 rows from the top; y = 5 is in the second of them, so 11 are below it.
    thirds = mask_of(listed, text, (HEIGHT // 3, WIDTH // 3))
    assert thirds[11].tolist() == [x in (9 // 3, 31 // 3) for x in range(WIDTH // 3)]


def test_pixels_of_a_list_that_was_scaled_up_are_blocks(listed: Path) -> None:
    mask = mask_of(listed, f"{SIZE}WasScaled 1\nBadPixels 8 10\n")
    assert np.argwhere(mask[::-1]).tolist() == [[10, 8], [10, 9], [11, 8], [11, 9]]
    assert mask_of(listed, f"{SIZE}WasScaled 2\nBadPixels 8 10\n").sum() == 16


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("PartialBadCol 7 5 15", "line 3: an unknown word; known are CameraSizeX, .*PartialBadColumn"),
        ("BadColums 7", "line 3: an unknown word"),
        ("17 3 1 1", "line 3: an unknown word"),
        ("PartialBadColumn 7 5 15", r"line 3: 3 numbers where 4 belong \(column width first last\)"),
        ("PartialBadRow 7 1 5 15 2", r"line 3: 5 numbers where 4 belong \(row height first last\)"),
        ("UsableArea 0 0 0", r"line 3: 3 numbers where 4 belong \(top left bottom right\)"),
        ("UsableArea 0 0 40 59", "line 3: lies outside the camera of 60 × 40 px"),
        ("UsableArea 9 0 3 59", "line 3: lies outside"),
        ("BadPixels 3 4 5", "line 3: 3 numbers, but pixels are pairs"),
        ("BadPixels 60 4", "line 3: lies outside the camera of 60 × 40 px"),
        ("BadRows -1", "line 3: lies outside"),
        ("BadRows", "line 3: 0 numbers where some belong"),
        ("BadRows 1e999", "line 3: whole numbers belong there"),
        ("PartialBadColumn 7 0 5 15", "line 3: lies outside"),
        ("K2Type yes", "line 3: whole numbers belong there"),
    ],
)
def test_a_row_that_is_not_understood_is_refused_with_its_line(listed: Path, row: str, problem: str) -> None:
    with pytest.raises(InputError, match=rf"defects_CountRef\.txt, {problem}"):
        mask_of(listed, f"{SIZE}{row}\nBadColumns 3\n")


def test_another_camera_is_refused_with_both_sizes(listed: Path) -> None:
    for text in (f"{SIZE}BadColumns 3\n", "CameraSizeX 999999999\nCameraSizeY 999999999\n"):
        with pytest.raises(InputError, match=r"import\.defects_path = .* px, the movie is 58 × 40 px"):
            mask_of(listed, text, (HEIGHT, 58))


def test_a_comment_may_have_a_code_page_of_its_own_and_a_word_may_not(listed: Path) -> None:
    listed.write_bytes("# für Müller\n".encode("latin-1") + f"{SIZE}BadRows 3\n".encode())
    mask = read_defects(ImportSettings(defects_path=str(listed)), (HEIGHT, WIDTH))
    assert mask is not None
    assert np.flatnonzero(mask.all(1)).tolist() == [HEIGHT - 1 - 3]
    for content, why in (
        (b"B\xe4dRows 3\n", "line 1: an unknown word"),
        (b"II*\0", "neither an image nor a text file"),
    ):
        listed.write_bytes(content + b" " * len(why))  # of other sizes: files are told apart by time and size
        with pytest.raises(InputError, match=why):
            read_defects(ImportSettings(defects_path=str(listed)), (HEIGHT, WIDTH))
