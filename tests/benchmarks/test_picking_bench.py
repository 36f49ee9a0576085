"""Tables of the pickers: precision, recall, F1 and time, on real micrographs with human picks and on simulated ones.

`pytest -m bench -s tests/benchmarks/test_picking_bench.py` prints them; the marks of the project are asserted. With
WARPCORE_TOPAZ=/path/to/topaz in the environment (a peer, installed for itself) its pretrained network stands in the same tables.
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
import jax
import jax.numpy as jnp
import mrcfile
import numpy as np
import pytest
import scipy.fft
from scipy.spatial.transform import Rotation

from warpcore.cli.structures import Structure, load_structure
from warpcore.kernels.ctf._parameters import CtfParameters
from warpcore.kernels.picking._blobs import pick_blobs
from warpcore.kernels.picking._network import pick_network
from warpcore.kernels.picking._particles import extract_particles
from warpcore.kernels.picking._templates import pick_templates
from warpcore.kernels.simulate._frames import contrast_spectrum
from warpcore.kernels.simulate._specimen import ELEMENTS, ice_spectrum, particle_spectrum

pytestmark = pytest.mark.bench


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
    """True and false positives and missed ones; nearest pairs within the radius first; pairs at the edges count on neither side."""
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
    """Topaz's pretrained network, where it is installed: preprocessed to about 6 Å, extracted with the particle's radius.

    Its scores are log odds; they stand here as probabilities, so that 0.5 is its own 0. Its best F1 over all levels too.
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


@pytest.mark.timeout(1200)
def test_real_apoferritin(shared_data: Path, tmp_path: Path) -> None:
    data = apoferritin(shared_data / "apoferritin")
    heading("EMPIAR-10146, 10 micrographs, human picks; a match lies within 15 px, margin 22 px")
    ring = table_row("blob, ring of 122 Å", blob(122, shapes=("ring",)), data)
    plain = table_row("blob, nothing but the diameter 130 Å", blob(130), data)
    first = data[0]
    boxes, _ = extract_particles(
        first.image, first.truth_xy[:, 0], first.truth_xy[:, 1], box_px=112, pixel_size_angstrom=1.5
    )
    average = boxes[:100].mean(axis=0)[None]
    matched = table_row("template, 100 particles of one left out", template(average, 1.5, 130), data[1:])
    learnt = table_row("network, nothing but the diameter 130 Å", network(130), data)
    topaz_row(130, data, tmp_path)
    assert ring >= 0.95
    assert plain >= 0.90
    assert matched >= 0.95
    assert learnt >= 0.90


def irregular(diameter: float = 250.0) -> Structure:
    """A lopsided particle of domains within a diameter: pseudo-atoms at protein's density, from a fixed seed."""
    rng = np.random.default_rng(11)
    domains = rng.normal(size=(7, 3)) * np.array([65.0, 40.0, 30.0])
    sizes, number = rng.uniform(25, 42, 7), 1_500_000
    points = rng.uniform(-1, 1, (number, 3)).astype(np.float32) * diameter / 2
    inside = np.zeros(number, bool)
    for place, size in zip(domains, sizes, strict=True):
        inside |= ((points - place) ** 2).sum(axis=1) < size**2
    points = points[inside & ((points**2).sum(axis=1) < (diameter / 2) ** 2)]
    volume = len(points) / number * diameter**3
    atoms = points[: int(volume / 17)]  # a protein's heavy atoms with their hydrogens fill 17 Å³
    assert len(atoms) == int(volume / 17)
    return Structure("irregular", (atoms - atoms.mean(axis=0)).astype(np.float32), np.zeros(len(atoms), int))


def simulated(structure: Structure, defocus: float, dose: float, seed: int, count: int = 40) -> Micrograph:
    """A micrograph 1024² at 1.7 Å of a structure in ice."""
    size, pixel = 1024, 1.7
    rng = np.random.default_rng([seed, int(defocus), int(dose)])
    places = np.empty((0, 2))
    apart = 1.05 * structure.diameter_angstrom / pixel
    for _ in range(4000):
        place = rng.uniform(0, size, 2)
        if not len(places) or np.hypot(*(places - place).T).min() > apart:
            places = np.vstack([places, place])
        if len(places) == count:
            break
    phase = particle_spectrum(
        structure.positions_angstrom,
        structure.elements,
        Rotation.random(len(places), rng=rng).as_matrix(),
        places,
        shape=(size, size),
        pixel_size_angstrom=pixel,
        voltage_kv=300,
    )
    return _imaged(phase, places, defocus, dose, seed, size, pixel, rng)


def empty(defocus: float, dose: float, seed: int, size: int = 2048) -> Micrograph:
    """Ice alone."""
    pixel = 1.35
    phase = jnp.zeros((size, size // 2 + 1), jnp.complex64)
    return _imaged(phase, np.empty((0, 2)), defocus, dose, seed, size, pixel, np.random.default_rng(seed))


def _imaged(
    phase: jax.Array,
    places: np.ndarray,
    defocus: float,
    dose: float,
    seed: int,
    size: int,
    pixel: float,
    rng: np.random.Generator,
) -> Micrograph:
    shape = (size, size)
    ctf = CtfParameters(defocus + 150, defocus - 150, 40.0)
    ice = ice_spectrum(
        jax.random.key(seed), shape=shape, pixel_size_angstrom=pixel, thickness_angstrom=400, voltage_kv=300
    )
    spectrum = contrast_spectrum(phase + ice, ctf, shape=shape, pixel_size_angstrom=pixel, b_factor_a2=60)
    expected = dose * pixel**2 * (1 + np.asarray(jnp.fft.irfft2(spectrum, s=shape)))
    image = rng.poisson(np.maximum(expected, 0)).astype(np.float32)
    return Micrograph(f"{defocus:g}/{dose:g}", image, places[:, ::-1], ctf, pixel)


def projections(structure: Structure, pixel: float, count: int = 24) -> np.ndarray:
    """Projections of a structure in directions spread over the sphere, matter bright."""
    size = 2 * int(structure.diameter_angstrom / pixel * 0.7)
    turns = Rotation.random(count, rng=np.random.default_rng(3)).as_matrix()
    return np.array(
        [
            np.fft.irfft2(
                np.asarray(
                    particle_spectrum(
                        structure.positions_angstrom,
                        structure.elements,
                        turn[None],
                        np.array([[size // 2, size // 2]]),
                        shape=(size, size),
                        pixel_size_angstrom=pixel,
                        voltage_kv=300,
                    )
                ),
                s=(size, size),
            )
            for turn in turns
        ]
    )


@pytest.mark.timeout(3000)  # with topaz, on a busy machine
def test_simulated_shapes(shared_data: Path, tmp_path: Path) -> None:
    barrel = load_structure(shared_data / "models" / "3j9i.pdb")
    assert len(ELEMENTS) == 5
    for name, structure, diameter in (
        ("shell of 130 Å (4V1W)", load_structure(), 130.0),
        ("barrel of 110×150 Å (3J9I)", barrel, 150.0),
        ("irregular of 250 Å", irregular(), 250.0),
    ):
        data = [
            simulated(structure, defocus, dose, seed=5, count=40 if diameter < 200 else 14)
            for defocus in (8000.0, 15000.0, 25000.0)
            for dose in (20.0, 50.0)
        ]
        radius = 0.2 * diameter / 1.7
        heading(
            f"simulated {name}, defocus 0.8, 1.5, 2.5 µm, dose 20, 50 e⁻/Å²; a match lies within a fifth of the diameter"
        )
        table_row("blob, nothing but the diameter", blob(diameter), data, radius, 30)
        table_row("blob, aspects up to 1.8", blob(diameter, aspects=(1.0, 1.34, 1.8)), data, radius, 30)
        stack = projections(structure, 4.0)
        matched = table_row(
            "template, 24 projections", template(stack, 4.0, diameter, 15.0, with_ctf=True), data, radius, 30
        )
        learnt = table_row("network, nothing but the diameter", network(diameter), data, radius, 30)
        topaz_row(diameter, data, tmp_path, radius, 30)
        assert matched >= 0.95
        assert learnt >= 0.90


def test_empty_micrographs() -> None:
    data = [
        empty(defocus, dose, seed)
        for seed, (defocus, dose) in enumerate([(8e3, 40), (15e3, 20), (25e3, 60), (12e3, 30)], 31)
    ]
    print("\nempty ice 2048² at 1.35 Å, picks a micrograph at the default threshold")
    for diameter in (60.0, 90.0, 130.0, 250.0):
        for name, picker in (("blob", blob(diameter)), ("network", network(diameter))):
            counts = [int((picker(one)[1] >= 0.5).sum()) for one in data]
            print(f"{name:10s} {diameter:5g} Å: {counts}")
            assert np.mean(counts) < 3


def test_time() -> None:
    stack = np.random.default_rng(0).normal(size=(24, 2048, 2048)).astype(np.float32)
    scipy.fft.rfft2(stack, workers=2)
    began = time.perf_counter()
    scipy.fft.rfft2(stack, workers=2)
    unit = time.perf_counter() - began
    one = empty(15e3, 40, 1)
    print(f"\nY = {unit:.3f} s (rfft2 of 24×2048², 2 workers)")
    for name, picker, limit in (("blob", blob(130), 2.0), ("network", network(130), 4.0)):
        picker(one)
        times = []
        for _ in range(3):
            began = time.perf_counter()
            picker(one)
            times.append(time.perf_counter() - began)
        print(f"{name:10s} {min(times):.3f} s = {min(times) / unit:.2f} Y (mark: {limit:g} Y)")
        assert min(times) < limit * unit
