"""A user's own micrographs and coordinates, paired by name, as the picker's training examples or to measure it by."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import starfile

from warpcore.cli.errors import CliError
from warpcore.services.readers.mrc import parse_mrc_header, read_mrc_image


class PickedMicrograph(NamedTuple):
    """A micrograph's image [h, w] and its particles (x, y in px of it, centre of pixel 0 at 0)."""

    path: Path
    image: np.ndarray
    pixel_size_angstrom: float
    xy_px: np.ndarray


class Agreement(NamedTuple):
    """Picks that are particles, picks that are not, and particles that were missed."""

    true: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of the picks that are particles; 1 without picks."""
        return self.true / (self.true + self.false) if self.true + self.false else 1.0

    @property
    def recall(self) -> float:
        """Share of the particles that were picked; 1 without particles."""
        return self.true / (self.true + self.missed) if self.true + self.missed else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = 2 * self.true + self.false + self.missed
        return 2 * self.true / total if total else 1.0


def load_picked(
    micrographs: Path, coordinates: Path, pixel_size_angstrom: float | None, suffix: str | None = None
) -> list[PickedMicrograph]:
    """Each MRC of a folder that has a coordinate file in the other: of its name, or of its name, `_` and a suffix.

    `suffix` chooses among several files. Coordinate files are STAR (`rlnCoordinateX`, `rlnCoordinateY`) or CSV with
    columns x and y. Raises CliError.
    """
    if not micrographs.is_dir() or not coordinates.is_dir():
        missing = micrographs if not micrographs.is_dir() else coordinates
        raise CliError(f"{missing}: no such folder")
    files = sorted(path for path in coordinates.iterdir() if path.suffix in (".star", ".csv"))
    found = []
    for path in sorted(micrographs.glob("*.mrc")):
        own = [f for f in files if f.stem == path.stem or f.stem.startswith(f"{path.stem}_")]
        own = [f for f in own if suffix is None or f.stem == f"{path.stem}_{suffix}"]
        if len(own) > 1:
            raise CliError(f"{path.name}: {own[0].name} and {own[1].name} both fit; name one with --suffix")
        if own:
            pixel = pixel_size_angstrom or parse_mrc_header(path).pixel_size_angstrom
            if not pixel:
                raise CliError(f"{path}: no pixel size in its header; give --pixel-size")
            image = np.asarray(read_mrc_image(path), np.float32)
            found.append(PickedMicrograph(path, image, pixel, read_positions(own[0])))
    if not found:
        raise CliError(f"no .mrc in {micrographs} has a coordinate file of its name in {coordinates}")
    return found


def read_positions(path: Path) -> np.ndarray:
    """Positions [P, 2] (x, y in px) of a STAR or CSV coordinate file. Raises CliError naming the file."""
    try:
        if path.suffix == ".csv":
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            return np.array([[float(row["x"]), float(row["y"])] for row in rows]).reshape(-1, 2)
        blocks = starfile.read(path, always_dict=True)
        tables = [b for b in blocks.values() if hasattr(b, "columns") and "rlnCoordinateX" in b.columns]
        return np.asarray(tables[0][["rlnCoordinateX", "rlnCoordinateY"]], float).reshape(-1, 2)
    except (KeyError, IndexError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise CliError(
            f"{path}: no coordinates found ({error}); "
            "rlnCoordinateX and rlnCoordinateY, or CSV with x and y, are needed"
        ) from None


def agreement(
    picked_xy: np.ndarray, true_xy: np.ndarray, shape: Sequence[int], radius: float, margin: float
) -> Agreement:
    """How picks [P, 2] agree with true positions; pairs within `radius` px match, the nearest first.

    Picks and positions within `margin` of an edge do not count.
    """
    height, width = shape

    def inner(xy: np.ndarray) -> np.ndarray:
        return np.asarray(
            (xy >= margin).all(axis=1) & (xy[:, 0] <= width - 1 - margin) & (xy[:, 1] <= height - 1 - margin)
        )

    pick_matched, truth_matched = matched(picked_xy, true_xy, radius)
    inside, wanted = inner(picked_xy), inner(true_xy)
    return Agreement(
        int((inside & pick_matched).sum()), int((inside & ~pick_matched).sum()), int((wanted & ~truth_matched).sum())
    )


def matched(picked_xy: np.ndarray, true_xy: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Which picks and which true positions (bool, bool) form pairs within `radius` px.

    The nearest pairs come first; each pick and each position is used once.
    """
    pick_matched, truth_matched = np.zeros(len(picked_xy), bool), np.zeros(len(true_xy), bool)
    distance = np.hypot(picked_xy[:, None, 0] - true_xy[None, :, 0], picked_xy[:, None, 1] - true_xy[None, :, 1])
    for pick, truth in zip(*np.unravel_index(np.argsort(distance, axis=None), distance.shape), strict=True):
        if distance[pick, truth] > radius:
            break
        if not pick_matched[pick] and not truth_matched[truth]:
            pick_matched[pick] = truth_matched[truth] = True
    return pick_matched, truth_matched
