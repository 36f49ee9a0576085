"""The pickers' tables: real micrographs with human picks, pickers under one signature, precision, recall and F1.

With WARPCORE_TOPAZ=/path/to/topaz in the environment (a peer, installed for itself) its pretrained network stands in
the same tables.
"""

from __future__ import annotations

import csv
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import mrcfile
import numpy as np

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking import pick_blobs, pick_network, pick_templates


class Micrograph(NamedTuple):
    """An image with the positions (x, y in px) that should be found."""

    name: str
    image: np.ndarray
    truth_xy: np.ndarray
    ctf: CtfParameters
    pixel_size_angstrom: float


Picker = Callable[[Micrograph], tuple[np.ndarray, np.ndarray]]


def apoferritin(folder: Path) -> list[Micrograph]:
    """The ten real micrographs with CTFFIND's CTF and people's picks."""
    found = []
    for row in csv.DictReader((folder / "ctffind5.csv").read_text().splitlines()):
        name = row["micrograph"]
        image = imagecodecs.imread((folder / f"{name}.png").read_bytes()).astype(np.float32)
        people = csv.DictReader((folder / f"{name}.csv").read_text().splitlines())
        xy = np.array([[float(one["x_px"]), float(one["y_px_from_top_of_png"])] for one in people])
        ctf = CtfParameters(float(row["defocus_u_A"]), float(row["defocus_v_A"]), float(row["angle_deg"]))
        found.append(Micrograph(name, image, xy, ctf, 1.5))
    return found


def matches(picked_xy: np.ndarray, one: Micrograph, radius_px: float, margin_px: float) -> tuple[int, int, int]:
    """True, false and missed picks; the nearest pairs within the radius match first; edges count on neither side."""
    height, width = one.image.shape

    def inner(xy: np.ndarray) -> np.ndarray:
        return np.asarray(
            (xy >= margin_px).all(axis=1) & (xy[:, 0] < width - margin_px) & (xy[:, 1] < height - margin_px)
        )

    if not len(picked_xy):
        return 0, 0, int(inner(one.truth_xy).sum()) if len(one.truth_xy) else 0
    if not len(one.truth_xy):
        return 0, int(inner(picked_xy).sum()), 0
    distance = np.hypot(*(picked_xy[:, None] - one.truth_xy[None]).transpose(2, 0, 1))
    pick_of, truth_of = np.full(len(picked_xy), -1), np.full(len(one.truth_xy), -1)
    for pick, truth in zip(*np.unravel_index(np.argsort(distance, axis=None), distance.shape), strict=True):
        if distance[pick, truth] > radius_px:
            break
        if pick_of[pick] < 0 and truth_of[truth] < 0:
            pick_of[pick], truth_of[truth] = truth, pick
    inside, wanted = inner(picked_xy), inner(one.truth_xy)
    return (
        int((inside & (pick_of >= 0)).sum()),
        int((inside & (pick_of < 0)).sum()),
        int((wanted & (truth_of < 0)).sum()),
    )


def table_row(
    label: str, picker: Picker, data: list[Micrograph], radius_px: float = 15, margin_px: float = 22
) -> float:
    """Print a row of the table over all micrographs at the default threshold and at others; return the default's F1."""
    picker(data[0])  # compiled before it is timed
    began = time.perf_counter()
    picked = [picker(one) for one in data]
    seconds = (time.perf_counter() - began) / len(data)
    cells, default = [], 0.0
    for threshold in (0.4, 0.45, 0.5, 0.55, 0.6):
        counts = [
            matches(xy[scores >= threshold], one, radius_px, margin_px)
            for (xy, scores), one in zip(picked, data, strict=True)
        ]
        true, false, missed = np.sum(counts, axis=0)
        precision, recall = true / max(true + false, 1), true / max(true + missed, 1)
        score = 2 * true / max(2 * true + false + missed, 1)
        cells.append(f"{precision:.3f} {recall:.3f} {score:.3f}")
        default = float(score) if threshold == 0.5 else default
    print(f"{label:42s} | " + " | ".join(cells) + f" | {seconds:.3f} s")
    return default


def heading(text: str) -> None:
    """Print a table's heading."""
    columns = " | ".join(f"P R F1 at {t:<7g}" for t in (0.4, 0.45, 0.5, 0.55, 0.6))
    print(f"\n{text}\n{'picker':42s} | {columns} | a micrograph")


def blob(diameter: float, **options: object) -> Picker:
    """Blob picker of a diameter."""

    def pick(one: Micrograph) -> tuple[np.ndarray, np.ndarray]:
        picks = pick_blobs(
            one.image,
            pixel_size_angstrom=one.pixel_size_angstrom,
            diameter_angstrom=diameter,
            threshold=0.3,
            ctf=one.ctf,
            **options,  # type: ignore[arg-type]
        )
        return np.stack([picks.x_px, picks.y_px], axis=1), picks.scores

    return pick


def template(stack: np.ndarray, pixel: float, diameter: float, step: float = 10.0, with_ctf: bool = False) -> Picker:
    """Template picker of a stack."""

    def pick(one: Micrograph) -> tuple[np.ndarray, np.ndarray]:
        picks = pick_templates(
            one.image,
            stack,
            template_pixel_size_angstrom=pixel,
            pixel_size_angstrom=one.pixel_size_angstrom,
            diameter_angstrom=diameter,
            threshold=0.3,
            angle_step_degrees=step,
            ctf=one.ctf if with_ctf else None,
        )
        return np.stack([picks.x_px, picks.y_px], axis=1), picks.scores

    return pick


def network(diameter: float) -> Picker:
    """The shipped network."""

    def pick(one: Micrograph) -> tuple[np.ndarray, np.ndarray]:
        picks = pick_network(
            one.image, pixel_size_angstrom=one.pixel_size_angstrom, diameter_angstrom=diameter, threshold=0.3
        )
        return np.stack([picks.x_px, picks.y_px], axis=1), picks.scores

    return pick


def topaz_row(
    diameter: float, data: list[Micrograph], folder: Path, radius_px: float = 15, margin_px: float = 22
) -> None:
    """Topaz's pretrained network, where it is installed: images of about 6 Å a pixel, the particle's radius given.

    Its scores are log odds. The table shows them as probabilities, so that 0.5 stands for 0, and its best F1 over all
    levels beside them.
    """
    topaz = os.environ.get("WARPCORE_TOPAZ")
    if topaz is None:
        return
    pixel = data[0].pixel_size_angstrom
    scale = max(1, round(6 / pixel))
    for number, one in enumerate(data):
        with mrcfile.new(folder / f"m{number}.mrc", overwrite=True) as file:
            file.set_data(one.image)
            file.voxel_size = pixel
    names = [str(folder / f"m{number}.mrc") for number in range(len(data))]
    began = time.perf_counter()
    for command in (
        [topaz, "preprocess", "-s", str(scale), "-o", str(folder / "small"), *names],
        [
            *(topaz, "extract", "-r", str(round(diameter / 2 / pixel / scale)), "-x", str(scale), "-d", "-1"),
            *("-o", str(folder / "picks.txt"), *(str(folder / "small" / Path(name).name) for name in names)),
        ],
    ):
        subprocess.run(command, check=True, capture_output=True)
    seconds = (time.perf_counter() - began) / len(data)
    rows = list(csv.DictReader((folder / "picks.txt").read_text().splitlines(), delimiter="\t"))
    picked = {id(one): (np.empty((0, 2)), np.empty(0)) for one in data}
    for number, one in enumerate(data):
        own = [row for row in rows if row["image_name"] == f"m{number}"]
        xy = np.array([[float(row["x_coord"]), float(row["y_coord"])] for row in own]).reshape(-1, 2)
        picked[id(one)] = xy, 1 / (1 + np.exp(-np.array([float(row["score"]) for row in own])))
    table_row("topaz, pretrained", lambda one: picked[id(one)], data, radius_px, margin_px)
    best = max(
        2 * true / max(2 * true + false + missed, 1)
        for level in np.arange(-6, 6, 0.25)
        for true, false, missed in [
            np.sum(
                [
                    matches(xy[s >= 1 / (1 + np.exp(-level))], one, radius_px, margin_px)
                    for one in data
                    for xy, s in [picked[id(one)]]
                ],
                axis=0,
            )
        ]
    )
    print(f"{'':42s} | best F1 at any level {best:.3f} | {seconds:.3f} s with its start")
