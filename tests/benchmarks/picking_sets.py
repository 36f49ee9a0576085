"""The sets that pickers are measured on: real micrographs with labels, as far as they are present."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np

from warpcore.kernels.ctf import CtfParameters

_FITTED_CTFS = {  # defocus U and V in Å, angle in degrees
    "10028_061": (20574, 20427, 67),
    "10028_062": (22571, 22451, 69),
    "10028_063": (22876, 22603, 64),
    "10059_0001": (12275, 11619, 81),
    "10059_0002": (14458, 13535, 77),
    "10059_0003": (16035, 15224, 79),
}
"""By warpcore's own fit, as a session would have them: from 40 Å to 2.1 px, 300 kV, Cs 2.0 mm, amplitude contrast 0.1.

All fits reach the finest frequency there is; 40 or 60 Å as the coarsest differ by 21 Å of defocus at most. The images
of EMPIAR-10017 show no rings, since they were denoised by others.
"""


class Micrograph(NamedTuple):
    """An image [h, w] with the positions [N, 2] (x, y in px) that should be found; the CTF where it is known.

    Picks on `uncertain_xy`, which people would argue about, count neither as true nor as false.
    """

    name: str
    image: np.ndarray
    truth_xy: np.ndarray
    ctf: CtfParameters | None
    pixel_size_angstrom: float
    uncertain_xy: np.ndarray = np.empty((0, 2))


class PickingSet(NamedTuple):
    """Micrographs of one specimen, all of one pixel size, and how picks are compared with their labels.

    A pick matches one label within `match_angstrom`; what lies within `margin_angstrom` of the edge counts on neither
    side. `labels` says where the labels come from; `complete` is False where particles are missing among them, so that
    precision is a lower bound.
    """

    name: str
    data: list[Micrograph]
    diameter_angstrom: float
    match_angstrom: float
    margin_angstrom: float
    labels: str
    complete: bool = True

    @property
    def pixel_size_angstrom(self) -> float:
        """Pixel size of all its micrographs."""
        return self.data[0].pixel_size_angstrom


def read_labels(path: Path, x: str = "x_px", y: str = "y_px_from_top") -> np.ndarray:
    """Positions [N, 2] (x, y in px) of a CSV file with these columns."""
    rows = csv.DictReader(path.read_text().splitlines())
    return np.array([[float(row[x]), float(row[y])] for row in rows])


def apoferritin(shared_data: Path) -> PickingSet:
    """Ten micrographs of EMPIAR-10146 with CTFFIND's CTF and people's picks."""
    folder = shared_data / "apoferritin"
    found = []
    for row in csv.DictReader((folder / "ctffind5.csv").read_text().splitlines()):
        name = row["micrograph"]
        image = imagecodecs.imread((folder / f"{name}.png").read_bytes()).astype(np.float32)
        people = read_labels(folder / f"{name}.csv", y="y_px_from_top_of_png")
        ctf = CtfParameters(float(row["defocus_u_A"]), float(row["defocus_v_A"]), float(row["angle_deg"]))
        found.append(Micrograph(name, image, people, ctf, 1.5))
    return PickingSet("apoferritin", found, 130, 22.5, 33, "people's picks")


def _images(shared_data: Path, pattern: str, pixel_size_angstrom: float) -> list[Micrograph]:
    found = []
    for path in sorted((shared_data / "picking").glob(pattern)):
        image = imagecodecs.imread(path.read_bytes())
        grey = image.mean(axis=-1) if image.ndim == 3 else image
        labels = read_labels(path.with_suffix(".csv"))
        fitted = _FITTED_CTFS.get(path.stem)
        ctf = None if fitted is None else CtfParameters(*fitted, cs_mm=2.0, amplitude_contrast=0.1)
        found.append(Micrograph(path.stem, grey.astype(np.float32), labels, ctf, pixel_size_angstrom))
    return found


def relabelled_80s(shared_data: Path) -> PickingSet:
    """Three images of EMPIAR-10028 whose every ribosome is labelled: `labels_10028_*.csv`, made for this project.

    Labelled by an AI model, no person, tile by tile from enlarged views (smoothed by 1.6 and 3 px, contrast stretched),
    before any picker's output on these images was looked at; drawn over them, looked at again. 367 labels are certain,
    340 of them inside the margin; 41 are not: faint, in pieces or cut by the edge. Compared with the 243 given labels
    afterwards: 240 are among the certain ones, 17 Å (median) and at most 68 Å, 0.24 diameters, away; two are among the
    uncertain ones, one lies on nothing. So the given labels hold 71 % of the ribosomes.
    """
    found = []
    for given in _images(shared_data, "10028_*.png", 5.36):
        path = Path(__file__).parent / f"labels_{given.name}.csv"
        rows = list(csv.DictReader(path.read_text().splitlines()))
        xy = np.array([[float(row["x_px"]), float(row["y_px_from_top"])] for row in rows])
        certain = np.array([row["certain"] == "1" for row in rows])
        found.append(given._replace(truth_xy=xy[certain], uncertain_xy=xy[~certain]))
    return PickingSet("80S ribosome, labelled anew", found, 280, 100, 150, "all ribosomes, by eye")


def labelled_sets(shared_data: Path) -> list[PickingSet]:
    """All sets of real micrographs: three specimens of three images each, one labelled anew, and apoferritin.

    TRPV1's labels begin 157 Å from the edges, so that with a margin of 80 Å true picks between count as false; the same
    images stand again with a margin of 175 Å.
    """
    trpv1 = PickingSet(
        *("TRPV1 in nanodiscs", _images(shared_data, "10059_*.png", 4.48), 130, 50, 80),
        labels="people's picks, none within 157 Å of the edges",
    )
    return [
        PickingSet(
            *("80S ribosome", _images(shared_data, "10028_*.png", 5.36), 280, 100, 150),
            labels="people's picks, incomplete",
            complete=False,
        ),
        relabelled_80s(shared_data),
        trpv1,
        trpv1._replace(name="TRPV1 where labelled", margin_angstrom=175),
        PickingSet(
            *("beta-galactosidase", _images(shared_data, "10017_*.jpg", 1.77), 180, 71, 177),
            labels="boxes on which two trained pickers agree",
        ),
        apoferritin(shared_data),
    ]
