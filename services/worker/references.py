"""The gain and the defects as other programs take them: turned, in MRC, once in the processing directory.

Many movies share such a file, so it is no output of one: its name tells what it holds, each worker that does not find
it writes it whole, and all write the same bytes. So it needs no lease, and nothing deletes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.readers.gain import Gain
from warpcore.services.session.opening import result_path
from warpcore.services.session.paths import written_whole
from warpcore.services.session.tables import REFERENCES

Pixels = npt.NDArray[np.float32]
_DIGITS = 12
_LONGEST_STEM = 100


@dataclass(frozen=True, slots=True)
class Reference:
    """A file `name`, relative to the processing directory, and what makes its pixels [H, W]."""

    name: str
    pixels: Callable[[], Pixels]

    def write(self, processing: Path) -> None:
        """Write it where it is missing. Raises OSError."""
        path = result_path(processing, self.name)
        if not path.is_file():
            with written_whole(path) as temporary:
                write_mrc(temporary, self.pixels(), pixel_size_angstrom=1.0)


@lru_cache(maxsize=4)
def gain_reference(gain: Gain, is_eer: bool) -> Reference:
    """The gain in the orientation of the movies, 0 where a pixel has none.

    RELION and Warp multiply by it, but divide an EER by it (renderEER.h, loadEERGain; Movie.cs, LoadFrameData), so for
    EERs it is the inverse of our factor.
    """

    def pixels() -> Pixels:
        factor = 1 / gain.multiplier if is_eer else gain.multiplier
        return np.where(gain.defects, np.float32(0), factor).astype(np.float32)

    return Reference(_name(gain.path, pixels()), pixels)


def defects_reference(path: str, mask: npt.NDArray[np.bool_]) -> Reference:
    """The map of the defects file at `path`, 1 where a pixel is defect (motioncorr_runner.cpp, fillDefectMask)."""
    pixels = mask.astype(np.float32)
    return Reference(_name(Path(path), pixels), lambda: pixels)


def _name(path: Path, pixels: Pixels) -> str:
    """`references/CountRef_0123456789ab.mrc`: the file's name and a hash of what it holds."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.stem)[:_LONGEST_STEM]
    content = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).data)
    return f"{REFERENCES}/{stem}_{content.hexdigest()[:_DIGITS]}.mrc"
