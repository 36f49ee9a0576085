"""What the picking network learns from: prepared images with a class for each output cell, and random crops of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warpcore.cli.picker_data import PickedMicrograph
from warpcore.kernels.picking import BACKGROUND, JUNK, PARTICLE, STRIDE, coarser, network_input
from warpcore.kernels.simulate import SAMPLES_PER_DIAMETER, random_scene
from warpcore.services.session.paths import written_whole

_CORE = 0.22  # in diameters: within this radius a cell is a particle
_DOUBT = 0.34  # between the core and this radius a cell does not count: no particle ends so sharply
_BESIDE = 1.0  # up to this radius background counts more: gaps between particles look like particles
_WEIGHTS = np.array([1.0, 2.0, 1.0], np.float32)  # particles' cores are few; more than this picks noise
_BESIDE_WEIGHT = 1.5
_SHARD = 200  # scenes a file


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained: on crops of `crop_px`, turned and mirrored, from a pool of scenes of `scene_px`.

    Then its scores are calibrated on `calibration_scenes` other scenes. The defaults make the shipped network.
    """

    steps: int = 7000
    batch: int = 8
    scenes: int = 3000
    scene_px: int = 256
    crop_px: int = 160
    learning_rate: float = 2e-3
    seed: int = 1
    calibration_scenes: int = 400


@dataclass(frozen=True)
class Example:
    """A prepared image [n, n] float16 and its cells' classes int8 and weights float16, both [n/2, n/2]."""

    image: np.ndarray
    classes: np.ndarray
    weights: np.ndarray


def example(
    pixels: np.ndarray, centres_yx: np.ndarray, junk: np.ndarray | None, doubtful: np.ndarray | None = None
) -> Example:
    """Targets of a working image: particles' cores, junk, background; the rims of cores and junk do not count.

    Nor does what is doubtful.
    """
    height, width = (n // STRIDE for n in pixels.shape)
    y = (np.arange(height) * STRIDE + (STRIDE - 1) / 2)[:, None]
    x = (np.arange(width) * STRIDE + (STRIDE - 1) / 2)[None]
    nearest = np.full((height, width), np.inf)
    for cy, cx in centres_yx:
        nearest = np.minimum(nearest, np.hypot(y - cy, x - cx) / SAMPLES_PER_DIAMETER)
    classes = np.full((height, width), BACKGROUND, np.int8)
    weights = np.where(nearest < _BESIDE, _BESIDE_WEIGHT, 1.0)
    if junk is not None:
        spoilt = _by_cell(junk)
        classes[spoilt > 0.5] = JUNK
        weights[(spoilt > 0) & (spoilt < 1)] = 0
    classes[nearest < _CORE] = PARTICLE
    weights = np.where(nearest < _DOUBT, np.where(nearest < _CORE, 1, 0), weights)
    if doubtful is not None:
        weights[(_by_cell(doubtful) > 0) & (classes != JUNK)] = 0
    weights = weights * _WEIGHTS[classes]
    return Example(network_input(pixels).astype(np.float16), classes, weights.astype(np.float16))


def _by_cell(region: np.ndarray) -> np.ndarray:
    height, width = (n // STRIDE for n in region.shape)
    cells = region[: height * STRIDE, : width * STRIDE].reshape(height, STRIDE, width, STRIDE)
    return np.asarray(cells.mean(axis=(1, 3)))


def simulated_examples(
    options: TrainingOptions, work: Path | None = None, say: Callable[[str], None] | None = None
) -> list[Example]:
    """The pool of scenes; each has its own seed, so that a larger pool begins with the same scenes.

    With a folder `work` they are kept there, and taken from there where an earlier run has made them.
    """
    pool: list[Example] = []
    for first in range(0, options.scenes, _SHARD):
        numbers = range(first, min(first + _SHARD, options.scenes))
        path = work and work / f"scenes-{options.seed}-{options.scene_px}-{numbers.start}-{numbers.stop}.npz"
        pool += _read(path) if path and path.exists() else _made(options, numbers, path)
        if say is not None:
            say(f"{len(pool)} of {options.scenes} scenes")
    return pool


def _made(options: TrainingOptions, numbers: range, path: Path | None) -> list[Example]:
    shard = []
    for number in numbers:
        scene = random_scene(np.random.default_rng([options.seed, number]), options.scene_px)
        shard.append(example(scene.image, scene.centres_yx, scene.junk, scene.doubtful))
    if path is not None:
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, *(np.stack([getattr(one, name) for one in shard]) for name in _FIELDS))
    return shard


_FIELDS = ("image", "classes", "weights")


def _read(path: Path) -> list[Example]:
    with np.load(path, allow_pickle=False) as archive:
        fields = [archive[f"arr_{number}"] for number in range(len(_FIELDS))]
    return [Example(*one) for one in zip(*fields, strict=True)]


def batches(
    pool: Sequence[Example], options: TrainingOptions, first: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Random crops of random examples, turned by quarters and mirrored, with a little noise and gain, without end.

    Each step has its own seed, so that a run can go on from step `first`.
    """
    crop, cells = options.crop_px, options.crop_px // STRIDE
    step = first
    while True:
        rng = np.random.default_rng([options.seed, 1 << 20, step])
        step += 1
        images: list[np.ndarray] = []
        classes: list[np.ndarray] = []
        weights: list[np.ndarray] = []
        for index in rng.integers(0, len(pool), options.batch):
            one = pool[index]
            top, left = (STRIDE * rng.integers(0, (n - crop) // STRIDE + 1) for n in one.image.shape)
            a = one.image[top : top + crop, left : left + crop].astype(np.float32)
            b, c = (
                field[top // STRIDE : top // STRIDE + cells, left // STRIDE : left // STRIDE + cells]
                for field in (one.classes, one.weights)
            )
            turns, mirror = int(rng.integers(0, 4)), bool(rng.integers(0, 2))
            for fields, field in ((images, a), (classes, b), (weights, c)):
                fields.append(np.rot90(field[:, ::-1] if mirror else field, turns))
            images[-1] = images[-1] * rng.uniform(0.8, 1.25) + rng.normal(0, rng.choice([0.0, 0.0, 0.3]), (crop, crop))
        yield np.array(images, np.float32), np.array(classes, np.int32), np.array(weights, np.float32)


def picked_examples(picked: Sequence[PickedMicrograph], diameter_angstrom: float) -> list[Example]:
    """A user's micrographs at the network's pixel size: their particles are targets, all else is background."""
    pool = []
    for one in picked:
        work = coarser(one.image, one.pixel_size_angstrom, diameter_angstrom / SAMPLES_PER_DIAMETER)
        centres = (one.xy_px[:, ::-1] - work.offset_px) / np.array(work.scale_yx)
        pool.append(example(np.asarray(work.pixels), centres, None))
    return pool
