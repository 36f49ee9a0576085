"""Known camera defects: a map, rows of boxes, or SerialEM's defect list."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.reference import (
    DM_EXTENSIONS,
    MRC_EXTENSIONS,
    TIFF_EXTENSIONS,
    orient,
    read_reference_image,
)
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

Mask = npt.NDArray[np.bool_]
_LONGEST_TEXT = 2**24


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
        status = path.stat()
    except OSError as error:
        raise InputError(f"import.defects_path = {path}: cannot be read ({error.strerror})") from None
    orientation = (settings.gain_flip_x, settings.gain_flip_y, settings.gain_transpose)
    return _read(path, status.st_mtime_ns, status.st_size, orientation, shape)


@lru_cache(maxsize=4)
def _read(path: Path, mtime_ns: int, size: int, orientation: tuple[bool, bool, bool], shape: tuple[int, int]) -> Mask:
    if path.suffix.lower() in MRC_EXTENSIONS + TIFF_EXTENSIONS + DM_EXTENSIONS:
        flip_x, flip_y, transpose = orientation
        turned = ImportSettings(gain_flip_x=flip_x, gain_flip_y=flip_y, gain_transpose=transpose)
        mask = orient(read_reference_image(path) != 0, turned)
        if mask.shape != shape:
            raise _misfit(path, (mask.shape[1], mask.shape[0]), shape)
    else:
        mask = parse_defects(path, _text(path), shape)
    mask.flags.writeable = False
    return mask


def parse_defects(path: Path, text: str, shape: tuple[int, int]) -> Mask:
    """Mask [H, W] from the text of a defect file of either kind; `path` names it in errors (InputError)."""
    rows = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.split("#")[0].strip()]
    if any(words[0][0].isalpha() for _, words in rows):
        return _serialem(path, rows, shape)
    mask = np.zeros(shape, np.bool_)
    for number, words in rows:
        x, y, width, height = _integers(path, number, words, 4)
        if width < 1 or height < 1 or not (0 <= x < shape[1] and 0 <= y < shape[0]):
            box, movie = f"{x} {y} {width} {height}", f"{shape[1]} × {shape[0]} px"
            raise InputError(f"{path}, line {number}: box {box} lies outside the movie of {movie}")
        mask[y : y + height, x : x + width] = True
    return mask


def _serialem(path: Path, rows: Iterable[tuple[int, list[str]]], shape: tuple[int, int]) -> Mask:
    """SerialEM counts y from the top of the image as TIFF rows do, so its mask is flipped in Y as TIFF movies are."""
    camera: dict[str, int] = {}
    boxes: list[tuple[int, int, int, int]] = []
    for number, words in rows:
        name, values = words[0].lower(), words[1:]
        if name in ("camerasizex", "camerasizey", "rotationandflip"):
            (camera[name],) = _integers(path, number, values, 1)
        elif name == "badcolumns":
            boxes += [(x, 0, x, -1) for x in _integers(path, number, values)]
        elif name == "badrows":
            boxes += [(0, y, -1, y) for y in _integers(path, number, values)]
        elif name == "partialbadcol":
            x, low, high = _integers(path, number, values, 3)
            boxes.append((x, low, x, high))
        elif name == "partialbadrow":
            y, low, high = _integers(path, number, values, 3)
            boxes.append((low, y, high, y))
        elif name in ("badpixel", "badpixels"):
            pixels = _integers(path, number, values)
            if len(pixels) % 2:
                raise InputError(f"{path}, line {number}: pixels are pairs of x and y")
            boxes += [(x, y, x, y) for x, y in zip(pixels[::2], pixels[1::2], strict=True)]
    if camera.get("rotationandflip"):
        raise InputError(
            f"{path}: a SerialEM list with RotationAndFlip {camera['rotationandflip']} is not read; "
            "make a map of it, with IMOD: clip defect -D LIST MOVIE map.mrc"
        )
    width, height = camera.get("camerasizex", shape[1]), camera.get("camerasizey", shape[0])
    scale = next((scale for scale in (1, 2) if (height * scale, width * scale) == shape), None)
    if scale is None:
        raise _misfit(path, (width, height), shape)
    mask = np.zeros((height, width), np.bool_)
    for x0, y0, x1, y1 in boxes:
        mask[y0 : (y1 if y1 >= 0 else height) + 1, x0 : (x1 if x1 >= 0 else width) + 1] = True
    return np.ascontiguousarray(mask[::-1].repeat(scale, axis=0).repeat(scale, axis=1))


def _integers(path: Path, number: int, words: list[str], count: int | None = None) -> list[int]:
    try:
        values = [int(float(word)) for word in words]
    except ValueError:
        raise InputError(f"{path}, line {number}: {' '.join(words)!r} are not numbers") from None
    if count is not None and len(values) != count:
        raise InputError(
            f"{path}, line {number}: {len(values)} numbers where {count} belong (rows are x y width height)"
        )
    return values


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_TEXT + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: neither an image nor a text file of defects ({error})") from None
    if len(text) > _LONGEST_TEXT:
        raise InputError(f"{path}: no list of defects, which has less than {_LONGEST_TEXT} characters")
    return text


def _misfit(path: Path, size: tuple[int, int], shape: tuple[int, int]) -> InputError:
    sizes = f"the defects are for {size[0]} × {size[1]} px, the movie is {shape[1]} × {shape[0]} px"
    return InputError(f"import.defects_path = {path}: {sizes}")
