"""Lone TIFF pages that hold several frames: ImageJ writes stacks over 4 GB so, tifffile where it is told to."""

from __future__ import annotations

import json
import math
import re

from warpcore.services.readers.tiff_chain import BITS, COMPRESSION, LENGTH, SAMPLES, WIDTH, BrokenFileError, Page

_SAVE = "save a page for each frame"
_MOST_TAG_BYTES = 2**16
"""Behind the pixels of a page lie its tags, which take less."""
_IMAGEJ_FRAMES = re.compile(r"^images=(\d{1,9})\s*$", re.MULTILINE)


def frames_of_lone_page(page: Page, size: int) -> int:
    """How many frames lie one behind the other where the only page of a file of `size` bytes begins.

    Raises BrokenFileError where its description and its bytes do not agree, or where nothing says what the bytes are.
    """
    told = _told(page.description)
    image_bytes = uncompressed_bytes(page)
    offsets, counts = page.offsets, page.counts
    one_strip = image_bytes and offsets is not None and len(offsets) == 1
    if not one_strip or image_bytes is None or offsets is None:
        if told > 1:
            raise BrokenFileError(f"says that it holds {told} frames, in one page of strips or compressed; {_SAVE}")
        return 1
    begin = int(offsets[0])
    there = max(0, size - begin) // image_bytes
    if told > there:
        raise BrokenFileError(f"is truncated: it says that it holds {told} frames, and has bytes for {there}")
    stored = int(counts[0]) if counts is not None and len(counts) == 1 else 0
    behind = size - begin - max(stored, image_bytes)
    if told == 1 and stored > image_bytes and not stored % image_bytes:
        raise BrokenFileError(
            f"has one page, with bytes for {stored // image_bytes} frames, and no tag says so; {_SAVE}"
        )
    if told == 1 and behind >= max(image_bytes, _MOST_TAG_BYTES):
        raise BrokenFileError(f"has one page, and behind it {behind} bytes that no page names; {_SAVE}")
    return told


def uncompressed_bytes(page: Page) -> int | None:
    """Bytes of a page without compression, None where it has one. Raises BrokenFileError for a page without a size."""
    numbers = page.numbers
    if not numbers.get(WIDTH) or not numbers.get(LENGTH):
        raise BrokenFileError("is damaged: a page has no width or length")
    if numbers.get(COMPRESSION, (1,)) != (1,):
        return None
    bits = numbers.get(BITS) or (1,)
    samples = (numbers.get(SAMPLES) or (1,))[0]
    per_pixel = sum(bits) if len(bits) == samples else bits[0] * samples
    return (numbers[WIDTH][0] * per_pixel + 7) // 8 * numbers[LENGTH][0]


def _told(description: str) -> int:
    """The frames that a description tells of: ImageJ's `images=N`, tifffile's `{"shape": [N, H, W]}`; else 1."""
    if description.startswith("ImageJ="):
        found = _IMAGEJ_FRAMES.search(description)
        return max(1, int(found[1])) if found else 1
    if description.startswith('{"shape"'):
        try:
            shape = json.loads(description)["shape"]
            return max(1, math.prod(int(length) for length in shape[:-2]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return 1
    return 1
