"""Known camera defects: a map, rows of boxes, or SerialEM's defect list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from warpcore.services.readers.reference import (
    DM_EXTENSIONS,
    MRC_EXTENSIONS,
    TIFF_EXTENSIONS,
    orient,
    read_reference_image,
)
from warpcore.services.readers.serialem_defects import (
    Mask,
    Row,
    misfit,
    parse_serialem_defects,
    read_list,
    whole_numbers,
)
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import check_file, read_bytes
from warpcore.services.session.settings import ImportSettings

_LARGEST_TEXT_BYTES = 2**24


def read_defects(settings: ImportSettings, shape: tuple[int, int]) -> Mask | None:
    """The mask [H, W] (true: defect) of `import.defects_path` for movies of `shape`; None where none is set.

    The file is a map (MRC, TIFF or DM; non-zero is a defect), which is turned like the gain; rows of `x y width height`
    in pixels of the movie as read, row 0 first (MotionCor, RELION); or SerialEM's defect list. The mask is kept in
    memory until file or settings change. Raises InputError, which names file and line, or both sizes.
    """
    if settings.defects_path is None:
        return None
    path = Path(settings.defects_path)
    try:
        status = check_file(path)
    except OSError as error:
        raise InputError(f"import.defects_path = {path}: cannot be read ({error.strerror})") from None
    orientation = (settings.gain_flip_x, settings.gain_flip_y, settings.gain_transpose)
    return _read(path, status.st_mtime_ns, status.st_size, orientation, shape)


@lru_cache(maxsize=4)
def _read(path: Path, mtime_ns: int, size: int, orientation: tuple[bool, bool, bool], shape: tuple[int, int]) -> Mask:
    if _is_map(path):
        flip_x, flip_y, transpose = orientation
        turned = ImportSettings(gain_flip_x=flip_x, gain_flip_y=flip_y, gain_transpose=transpose)
        mask = orient(read_reference_image(path) != 0, turned)
        if mask.shape != shape:
            raise misfit(path, (mask.shape[1], mask.shape[0]), shape)
    else:
        mask = parse_defects(path, _text(path), shape)
    mask.flags.writeable = False
    return mask


def parse_defects(path: Path, text: str, shape: tuple[int, int]) -> Mask:
    """Mask [H, W] from the text of a defect file of either kind; `path` names it in errors (InputError)."""
    rows = _rows(path, text)
    if _is_serialem(rows):
        return parse_serialem_defects(path, rows, shape)
    mask = np.zeros(shape, np.bool_)
    for number, (x, y, width, height) in _boxes(path, rows):
        if width < 1 or height < 1 or not (0 <= x < shape[1] and 0 <= y < shape[0]):
            box, movie = f"{x} {y} {width} {height}", f"{shape[1]} × {shape[0]} px"
            raise InputError(f"{path}, line {number}: box {box} lies outside the movie of {movie}")
        mask[y : y + height, x : x + width] = True
    return mask


def check_defects(path: Path) -> None:
    """Check that a file names defects, whatever movies they are for. Raises InputError, OSError."""
    if _is_map(path):
        read_reference_image(path)
        return
    rows = _rows(path, _text(path))
    if _is_serialem(rows):
        read_list(path, rows)
    else:
        list(_boxes(path, rows))


def _is_map(path: Path) -> bool:
    return path.suffix.lower() in MRC_EXTENSIONS + TIFF_EXTENSIONS + DM_EXTENSIONS


def _rows(path: Path, text: str) -> list[Row]:
    """The rows that are no comments. Raises InputError where there is none: that is no list of defects."""
    lines = ((number, line.partition("#")[0].split()) for number, line in enumerate(text.splitlines(), 1))
    rows = [(number, words) for number, words in lines if words]
    if not rows:
        raise InputError(f"{path}: no list of defects, it has no row; give null where the camera has none")
    return rows


def _is_serialem(rows: Sequence[Row]) -> bool:
    return any(words[0][0].isalpha() for _, words in rows)


def _boxes(path: Path, rows: Iterable[Row]) -> Iterator[tuple[int, list[int]]]:
    """Line, and x y width height of each row. Raises InputError."""
    for number, words in rows:
        yield number, whole_numbers(path, number, words, 4, "x y width height")


def _text(path: Path) -> str:
    try:
        # Comments may have a microscope's own code page; words with such bytes are unknown, and refused as they are.
        text = read_bytes(path, _LARGEST_TEXT_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: neither an image nor a text file of defects ({error.strerror})") from None
    if "\0" in text:
        raise InputError(f"{path}: neither an image nor a text file of defects (it has zero bytes)")
    return text
