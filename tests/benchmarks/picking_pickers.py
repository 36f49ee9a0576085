"""The pickers under one signature: a set of micrographs in, positions and scores of each micrograph out.

A picker takes the whole set, since some learn from all of a session's micrographs. `PICKERS` is what the tables show;
with WARPCORE_TOPAZ=/path/to/topaz in the environment (a peer, installed for itself) its pretrained network is among
them.
"""

from __future__ import annotations

import csv
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mrcfile
import numpy as np
import scipy.ndimage

from tests.benchmarks.picking_sets import Micrograph, PickingSet
from warpcore.kernels.picking import Picks, junk_mask, pick_blobs, pick_network, pick_templates
from warpcore.kernels.picking._peaks import find_peaks
from warpcore.services.session.settings import PickingSettings
from warpcore.services.steps.learning import Lesson
from warpcore.services.steps.picking_learning import pool
from warpcore.services.worker.steps.picking_methods import Found, given_to_pickers, junk_of, score

LOWEST_SCORE = 0.05
"""Picks below this are not asked for: no picker's best level lies there, and there are very many of them."""
LOG_SIGMA_DIAMETERS = 0.25
LOG_LEVEL = 1.9
"""Laplacian of Gaussian: least response in units of its spread over the micrograph, one level for all sets.

The level with the best mean F1 over the labelled sets, whichever labels of 80S count: 0.634 with the given ones,
against 0.633 at 1.8 and 0.631 at 2.0; 0.671 with those made anew, against 0.670 and 0.668.
"""


class Picked(NamedTuple):
    """Positions [N, 2] (x, y in px) and scores [N] (0 to 1, 0.5 the default threshold) of one micrograph."""

    xy: np.ndarray
    scores: np.ndarray


SetPicker = Callable[[PickingSet], list[Picked]]


def _each(pick: Callable[[Micrograph, float, np.ndarray | None], Picks]) -> SetPicker:
    """A picker of sets from one of single micrographs, which is given the diameter and, as the step does, the mask."""

    def pick_all(chosen: PickingSet) -> list[Picked]:
        found = []
        for one in chosen.data:
            junk = junk_mask(
                one.image,
                pixel_size_angstrom=one.pixel_size_angstrom,
                diameter_angstrom=chosen.diameter_angstrom,
            )
            valid = junk.valid((one.image.shape[0], one.image.shape[1])) if junk.mask.any() else None
            picks = pick(one, chosen.diameter_angstrom, valid)
            found.append(Picked(np.stack([picks.x_px, picks.y_px], axis=1), np.asarray(picks.scores)))
        return found

    return pick_all


def blob(**options: object) -> SetPicker:
    """The blob picker."""
    return _each(
        lambda one, diameter, valid: pick_blobs(
            one.image,
            pixel_size_angstrom=one.pixel_size_angstrom,
            diameter_angstrom=diameter,
            threshold=LOWEST_SCORE,
            ctf=one.ctf,
            valid=valid,
            **options,  # type: ignore[arg-type]
        )
    )


def network() -> SetPicker:
    """The shipped network."""
    return _each(
        lambda one, diameter, valid: pick_network(
            one.image,
            pixel_size_angstrom=one.pixel_size_angstrom,
            diameter_angstrom=diameter,
            threshold=LOWEST_SCORE,
            valid=valid,
        )
    )


def template(stack: np.ndarray, pixel: float, step: float = 10.0, with_ctf: bool = False) -> SetPicker:
    """The template picker with a stack [T, n, n] of `pixel` Å."""
    return _each(
        lambda one, diameter, valid: pick_templates(
            one.image,
            stack,
            template_pixel_size_angstrom=pixel,
            pixel_size_angstrom=one.pixel_size_angstrom,
            diameter_angstrom=diameter,
            threshold=LOWEST_SCORE,
            angle_step_degrees=step,
            ctf=one.ctf if with_ctf else None,
            valid=valid,
        )
    )


def laplacian(level: float = LOG_LEVEL, sigma_diameters: float = LOG_SIGMA_DIAMETERS) -> SetPicker:
    """Laplacian of Gaussian, the least that any picker should reach: dark spots of one size, no mask, no CTF."""

    def pick_all(chosen: PickingSet) -> list[Picked]:
        return [_laplacian(one, chosen.diameter_angstrom, level, sigma_diameters) for one in chosen.data]

    return pick_all


def _laplacian(one: Micrograph, diameter: float, level: float, sigma_diameters: float) -> Picked:
    """Peaks of the response in units of its robust spread over the micrograph, 0.75 diameters apart.

    The score is response / (response + level).
    """
    binning = max(1, int(diameter / one.pixel_size_angstrom / 20))
    rows, columns = (n // binning for n in one.image.shape)
    small = one.image[: rows * binning, : columns * binning].reshape(rows, binning, columns, binning).mean(axis=(1, 3))
    across = diameter / one.pixel_size_angstrom / binning
    response = scipy.ndimage.gaussian_laplace(small.astype(np.float64), sigma_diameters * across, mode="nearest")
    low, middle, high = np.percentile(response, [16, 50, 84])
    strength = (response - middle) / ((high - low) / 2)
    peaks = find_peaks(strength, level * LOWEST_SCORE, 0.75 * across)
    xy = np.stack([peaks.x, peaks.y], axis=1) * binning + (binning - 1) / 2
    return Picked(xy, peaks.value / (peaks.value + level))


def topaz(chosen: PickingSet) -> list[Picked]:
    """Topaz's pretrained network: images of about 20 px a diameter, the particle's radius given.

    It hangs much on that: on one image of beta-galactosidase F1 is 0.08, 0.63, 0.83, 0.78 at 34, 25, 20, 13 px. Its
    scores are log odds; here they are probabilities, so that 0.5 stands for its level of 0.
    """
    pixel = chosen.pixel_size_angstrom
    scale = max(1, round(chosen.diameter_angstrom / 20 / pixel))
    radius = round(chosen.diameter_angstrom / 2 / pixel / scale)
    program = os.environ["WARPCORE_TOPAZ"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, one in enumerate(chosen.data):
            with mrcfile.new(folder / f"m{number}.mrc") as file:
                file.set_data(one.image)
                file.voxel_size = pixel
        names = [f"m{number}.mrc" for number in range(len(chosen.data))]
        whole, small = ([str(folder / place / one) for one in names] for place in ("", "small"))
        for command in (
            [program, "preprocess", "-s", str(scale), "-o", str(folder / "small"), *whole],
            [program, "extract", "-r", str(radius), "-x", str(scale), "-d", "-1", "-o", str(folder / "picks"), *small],
        ):
            subprocess.run(command, check=True, capture_output=True)
        rows = list(csv.DictReader((folder / "picks").read_text().splitlines(), delimiter="\t"))
    found = []
    for number in range(len(chosen.data)):
        own = [row for row in rows if row["image_name"] == f"m{number}"]
        xy = np.array([[float(row["x_coord"]), float(row["y_coord"])] for row in own]).reshape(-1, 2)
        found.append(Picked(xy, 1 / (1 + np.exp(-np.array([float(row["score"]) for row in own])))))
    return found


def auto(chosen: PickingSet) -> list[Picked]:
    """The default, as a session uses it: the first micrographs decide, and then all are picked with that."""
    options = PickingSettings(diameter=chosen.diameter_angstrom)

    def found(one: Micrograph, choice: Mapping[str, Any] | None) -> Found:
        junk = junk_of(one.image, one.pixel_size_angstrom, options)
        given = given_to_pickers(one.image, one.pixel_size_angstrom, options, junk)
        return score(given, options, one.ctf, choice)

    evidences = [found(one, None).evidence for one in chosen.data[: options.first_movies]]
    choice = pool(options, [Lesson("", evidence) for evidence in evidences if evidence is not None])
    picked = []
    for one in chosen.data:
        picks = found(one, choice).candidates
        kept = picks.scores >= LOWEST_SCORE
        picked.append(Picked(np.stack([picks.x_px, picks.y_px], axis=1)[kept], picks.scores[kept]))
    return picked


PICKERS: dict[str, SetPicker] = {"auto": auto, "blob": blob(), "network": network()}
"""What ships, with nothing but the diameter given."""
PEERS: dict[str, SetPicker] = {"Laplacian of Gaussian": laplacian()}
if "WARPCORE_TOPAZ" in os.environ:
    PEERS["topaz, pretrained"] = topaz
