"""The pictures of docs/picking.md: picks on each specimen and the reliability diagram.

`python -m tests.benchmarks.picking_pictures ../shared/data docs/images` draws them again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import numpy.typing as npt
import scipy.ndimage

from tests.benchmarks.picking_marks import JUDGED, LABELLED_NAMES, labelled, row
from tests.benchmarks.picking_pickers import PICKERS
from tests.benchmarks.picking_reliability import reliability_diagram
from tests.benchmarks.picking_tables import DEFAULT_THRESHOLD
from warpcore.kernels.picking import junk_mask, picks_overlay
from warpcore.services.formats.png import write_png

LARGEST_BYTES = 150_000
_LONGEST_PX = 720


class Shot(NamedTuple):
    """Which part of which micrograph of a set is shown: a square of `size_px` whose upper left corner is at (x, y)."""

    chosen: str
    number: int
    x: int
    y: int
    size_px: int


SHOTS = {
    "80s": Shot("80S ribosome, labelled anew", 0, 0, 0, 1024),
    "trpv1": Shot("TRPV1 in nanodiscs", 0, 256, 256, 512),
    "beta_galactosidase": Shot("beta-galactosidase", 0, 1000, 1000, 2048),
    "apoferritin": Shot("apoferritin", 0, 0, 0, 1200),
    "t20s": Shot("T20S proteasome, simulated", 3, 0, 0, 1024),
}


def picks_picture(shared_data: Path, shot: Shot, picker: str = JUDGED) -> npt.NDArray[np.uint8]:
    """Picture uint8 [h, w, 3] of a part of a micrograph with its picks at the default threshold, coloured by score.

    Magenta at 0.5 to green at 1; junk is tinted red. Smoothed by a 24th of the diameter.
    """
    found = row(shared_data, shot.chosen, picker)
    chosen, picked = found.chosen, found.picked[shot.number]
    image = chosen.data[shot.number].image
    pixel, diameter = chosen.pixel_size_angstrom, chosen.diameter_angstrom
    junk = junk_mask(image, pixel_size_angstrom=pixel, diameter_angstrom=diameter)
    valid = junk.valid((image.shape[0], image.shape[1]))
    rows, columns = slice(shot.y, shot.y + shot.size_px), slice(shot.x, shot.x + shot.size_px)
    place = picked.xy - (shot.x, shot.y)
    taken = (picked.scores >= DEFAULT_THRESHOLD) & (place >= 0).all(axis=1) & (place < shot.size_px).all(axis=1)
    smooth = scipy.ndimage.gaussian_filter(image[rows, columns], diameter / pixel / 24)
    return picks_overlay(
        smooth,
        *(place[taken, 0], place[taken, 1], picked.scores[taken]),
        diameter_px=diameter / pixel,
        longest_px=_LONGEST_PX,
        junk=~valid[rows, columns],
        score_range=(DEFAULT_THRESHOLD, 1.0),
    )


def small_jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    """A picture as JPEG of at most 150 KB, in the best quality that fits. Raises ValueError where none does."""
    for level in range(90, 20, -5):
        coded = bytes(imagecodecs.jpeg8_encode(picture, level=level))
        if len(coded) <= LARGEST_BYTES:
            return coded
    raise ValueError(f"a picture of {picture.shape} does not fit into {LARGEST_BYTES} bytes")


def draw_all(shared_data: Path, folder: Path) -> None:
    """Write `picks_<specimen>.jpg` and `picking_reliability.png`."""
    for name, shot in SHOTS.items():
        (folder / f"picks_{name}.jpg").write_bytes(small_jpeg(picks_picture(shared_data, shot)))
    panels = [name for name in LABELLED_NAMES if name in labelled(shared_data) and name != "TRPV1 where labelled"]
    write_png(
        folder / "picking_reliability.png",
        reliability_diagram([[row(shared_data, name, picker) for picker in PICKERS] for name in panels]),
    )


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
