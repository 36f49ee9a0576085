"""SerialEM's list of a camera's defects, with the words that SerialEM and IMOD write.

Words, inclusive ends and the meaning of WasScaled are those of IMOD's CorrectDefects.cpp (CorDefParseDefects,
CorDefFillDefectArray). Coordinates are those of the frames that were saved with the list: `RotationAndFlip` says which
operation brought both there, so nothing is turned here, as IMOD's alignframes and clip turn nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from warpcore.services.session.errors import InputError

Mask = npt.NDArray[np.bool_]
Row = tuple[int, list[str]]
"""The number of a line, and its words without comments."""

_SIZES = ("CameraSizeX", "CameraSizeY")
_KINDS = ("RotationAndFlip", "WasScaled", "K2Type", "FalconType", "NumToAvgSuperRes")
"""One number each, of which only WasScaled says where a defect lies."""
_BOXES = {
    "UsableArea": "top left bottom right",
    "PartialBadColumn": "column width first last",
    "PartialBadRow": "row height first last",
}
_LISTS = ("BadPixels", "BadColumns", "BadRows")
_WORDS = {word.lower(): word for word in (*_SIZES, *_KINDS, *_BOXES, *_LISTS)}
_FINER, _COARSER = (1, 2, 4), (2, 3, 4, 6, 8)
"""Super-resolution movies have so many pixels for one of the list's camera along each axis, binned ones the inverse."""


@dataclass(slots=True)
class SerialEMList:
    """What a list says, in pixels of its camera: `boxes` are x0 y0 x1 y1 with both ends, each with its line."""

    numbers: dict[str, int] = field(default_factory=dict)
    boxes: list[tuple[int, tuple[int | None, int | None, int | None, int | None]]] = field(default_factory=list)
    pixels: list[tuple[int, int, int]] = field(default_factory=list)
    usable: tuple[int, list[int]] | None = None


def parse_serialem_defects(path: Path, rows: Iterable[Row], shape: tuple[int, int]) -> Mask:
    """The mask [H, W] (true: defect) of a list for movies of `shape`, row 0 first as movies are read.

    SerialEM counts y from the top of the image, as TIFF rows do, so the mask is flipped in Y as TIFF movies are. A
    movie may be 2 or 4 times finer than the list's camera (super-resolution), or binned by up to 8; a list without a
    camera size is one for the movie's own pixels. Raises InputError, which names file and line, or both sizes.
    """
    found = read_list(path, rows)
    height, width = found.numbers.get("CameraSizeY", shape[0]), found.numbers.get("CameraSizeX", shape[1])
    if not (0 < height <= max(_COARSER) * shape[0] and 0 < width <= max(_COARSER) * shape[1]):
        raise misfit(path, (width, height), shape)
    return fitted(path, _drawn(path, found, (height, width))[::-1], shape)


def read_list(path: Path, rows: Iterable[Row]) -> SerialEMList:
    """What a list says, whatever movies it is for. Raises InputError with file and line."""
    found = SerialEMList()
    for number, words in rows:
        _take(path, found, number, words)
    return found


def fitted(path: Path, mask: Mask, shape: tuple[int, int]) -> Mask:
    """A mask of the camera's pixels as one of a movie's; of a binned movie each pixel that holds a defect is one."""
    height, width = mask.shape
    for factor in _FINER:
        if (height * factor, width * factor) == shape:
            return np.ascontiguousarray(mask.repeat(factor, axis=0).repeat(factor, axis=1))
    for factor in _COARSER:
        if (height // factor, width // factor) == shape:
            # Counted from the top, where the list begins: rows that are left over are at the bottom.
            top = mask[::-1][: shape[0] * factor, : shape[1] * factor]
            blocks = top.reshape(shape[0], factor, shape[1], factor)
            return np.ascontiguousarray(np.asarray(blocks.any(axis=(1, 3)))[::-1])
    raise misfit(path, (width, height), shape)


def misfit(path: Path, size: tuple[int, int], shape: tuple[int, int]) -> InputError:
    """The error for defects of another size (width, height) than that of movies of `shape`."""
    sizes = f"the defects are for {size[0]} × {size[1]} px, the movie is {shape[1]} × {shape[0]} px"
    turned = "; they are for frames that were turned otherwise" if size == shape and shape[0] != shape[1] else ""
    return InputError(f"import.defects_path = {path}: {sizes}{turned}")


def whole_numbers(
    path: Path, number: int, words: Sequence[str], count: int | None = None, belong: str = ""
) -> list[int]:
    """The numbers of a row; `count` of them, which are `belong`. Raises InputError with file and line."""
    try:
        values = [float(word) for word in words]
        if not all(value.is_integer() for value in values):
            raise ValueError
    except ValueError:
        raise InputError(f"{path}, line {number}: whole numbers belong there") from None
    if len(values) != count and (count is not None or not values):
        expected = f"{count} belong ({belong})" if count is not None else "some belong"
        raise InputError(f"{path}, line {number}: {len(values)} numbers where {expected}")
    return [int(value) for value in values]


def _take(path: Path, found: SerialEMList, number: int, words: list[str]) -> None:
    """Add what one row says."""
    word = _WORDS.get(words[0].lower())
    if word is None:
        raise InputError(f"{path}, line {number}: an unknown word; known are {', '.join(_WORDS.values())}")
    values = [value for one in words[1:] for value in one.split(",") if value]
    if word in _SIZES + _KINDS:
        (found.numbers[word],) = whole_numbers(path, number, values, 1, "a number")
        return
    numbers = whole_numbers(path, number, values, 4 if word in _BOXES else None, _BOXES.get(word, ""))
    match word:
        case "UsableArea":
            found.usable = number, numbers
        case "PartialBadColumn":
            x, width, first, last = numbers
            found.boxes.append((number, (x, first, x + width - 1, last)))
        case "PartialBadRow":
            y, height, first, last = numbers
            found.boxes.append((number, (first, y, last, y + height - 1)))
        case "BadColumns":
            found.boxes += [(number, (x, None, x, None)) for x in numbers]
        case "BadRows":
            found.boxes += [(number, (None, y, None, y)) for y in numbers]
        case _:
            if len(numbers) % 2:
                raise InputError(f"{path}, line {number}: {len(numbers)} numbers, but pixels are pairs of x and y")
            found.pixels += [(number, x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def _drawn(path: Path, found: SerialEMList, shape: tuple[int, int]) -> Mask:
    """The mask [H, W] in pixels of the list's camera, y as in the list."""
    height, width = shape
    mask = np.zeros(shape, np.bool_)
    scaled = found.numbers.get("WasScaled", 0)
    side = 2**scaled if scaled in (1, 2) else 1  # of a list scaled up, a pixel stands for the block that begins there
    boxes = [*found.boxes, *((n, (x, y, x + side - 1, y + side - 1)) for n, x, y in found.pixels)]
    for number, (x0, y0, x1, y1) in boxes:
        columns = range(0 if x0 is None else x0, width if x1 is None else x1 + 1)
        rows = range(0 if y0 is None else y0, height if y1 is None else y1 + 1)
        if not (columns and rows and columns[0] >= 0 and rows[0] >= 0 and columns[-1] < width and rows[-1] < height):
            raise InputError(f"{path}, line {number}: lies outside the camera of {width} × {height} px")
        mask[rows.start : rows.stop, columns.start : columns.stop] = True
    if found.usable is not None:
        mask |= ~_usable(path, *found.usable, shape)
    return mask


def _usable(path: Path, number: int, area: list[int], shape: tuple[int, int]) -> Mask:
    """What is usable [H, W]; 0 as last row or column means all of them."""
    height, width = shape
    top, left = area[0], area[1]
    bottom, right = area[2] or height - 1, area[3] or width - 1
    if not (0 <= top <= bottom < height and 0 <= left <= right < width):
        raise InputError(f"{path}, line {number}: lies outside the camera of {width} × {height} px")
    usable = np.zeros(shape, np.bool_)
    usable[top : bottom + 1, left : right + 1] = True
    return usable
