"""Training of the picking network: on simulated scenes for the shipped weights, on a user's picks to fine-tune them.

Needs the extra `warpcore[train]`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from warpcore.cli.errors import CliError
from warpcore.cli.picker_calibration import calibrated
from warpcore.cli.picker_data import PickedMicrograph
from warpcore.kernels.picking import (
    BACKGROUND,
    JUNK,
    PARTICLE,
    STRIDE,
    Network,
    Parameters,
    coarser,
    forward,
    initial_parameters,
    network_input,
    write_network,
)
from warpcore.kernels.simulate import SAMPLES_PER_DIAMETER, random_scene
from warpcore.services.session.paths import written_whole

_CORE = 0.22  # in diameters: within this radius a cell is a particle
_DOUBT = 0.34  # between the core and this radius a cell does not count: no particle ends so sharply
_WEIGHTS = np.array([1.0, 2.0, 1.0], np.float32)  # particles' cores are few; more than this picks noise


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained: on crops of `crop_px`, turned and mirrored, from a pool of scenes of `scene_px`.

    Then its scores are calibrated on `calibration_scenes` other scenes. The defaults make the shipped network.
    """

    steps: int = 4000
    batch: int = 8
    scenes: int = 1200
    scene_px: int = 256
    crop_px: int = 160
    learning_rate: float = 2e-3
    seed: int = 1
    calibration_scenes: int = 300


@dataclass(frozen=True)
class Example:
    """A prepared image [n, n] and its cells' classes and weights [n/2, n/2]."""

    image: np.ndarray
    classes: np.ndarray
    weights: np.ndarray


def example(pixels: np.ndarray, centres_yx: np.ndarray, junk: np.ndarray | None) -> Example:
    """Targets of a working image: particles' cores, junk, background; the rims of cores and junk do not count."""
    height, width = (n // STRIDE for n in pixels.shape)
    y = (np.arange(height) * STRIDE + (STRIDE - 1) / 2)[:, None]
    x = (np.arange(width) * STRIDE + (STRIDE - 1) / 2)[None]
    classes = np.full((height, width), BACKGROUND, np.int32)
    weights = np.ones((height, width), np.float32)
    if junk is not None:
        spoilt = junk[: height * STRIDE, : width * STRIDE].reshape(height, STRIDE, width, STRIDE).mean(axis=(1, 3))
        classes[spoilt > 0.5] = JUNK
        weights[(spoilt > 0) & (spoilt < 1)] = 0
    for cy, cx in centres_yx:
        distance = np.hypot(y - cy, x - cx)
        weights[distance < _DOUBT * SAMPLES_PER_DIAMETER] = 0
    for cy, cx in centres_yx:
        core = np.hypot(y - cy, x - cx) < _CORE * SAMPLES_PER_DIAMETER
        classes[core], weights[core] = PARTICLE, 1
    return Example(network_input(pixels), classes, weights * _WEIGHTS[classes])


def simulated_examples(options: TrainingOptions) -> list[Example]:
    """The pool of scenes; each has its own seed, so that a larger pool begins with the same scenes."""
    pool = []
    for number in range(options.scenes):
        scene = random_scene(np.random.default_rng([options.seed, number]), options.scene_px)
        pool.append(example(scene.image, scene.centres_yx, scene.junk))
    return pool


def batches(pool: Sequence[Example], options: TrainingOptions) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Endless random crops of random examples, turned by quarters and mirrored, with a little noise and gain."""
    rng = np.random.default_rng([options.seed, 1 << 20])
    crop, cells = options.crop_px, options.crop_px // STRIDE
    while True:
        images: list[np.ndarray] = []
        classes: list[np.ndarray] = []
        weights: list[np.ndarray] = []
        for index in rng.integers(0, len(pool), options.batch):
            one = pool[index]
            top, left = (STRIDE * rng.integers(0, (n - crop) // STRIDE + 1) for n in one.image.shape)
            a = one.image[top : top + crop, left : left + crop]
            b, c = (
                field[top // STRIDE : top // STRIDE + cells, left // STRIDE : left // STRIDE + cells]
                for field in (one.classes, one.weights)
            )
            turns, mirror = int(rng.integers(0, 4)), bool(rng.integers(0, 2))
            for fields, field in ((images, a), (classes, b), (weights, c)):
                fields.append(np.rot90(field[:, ::-1] if mirror else field, turns))
            images[-1] = images[-1] * rng.uniform(0.8, 1.25) + rng.normal(0, rng.choice([0.0, 0.0, 0.3]), (crop, crop))
        yield np.array(images, np.float32), np.array(classes), np.array(weights)


def train(
    pool: Sequence[Example],
    options: TrainingOptions,
    *,
    start: Parameters | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> Parameters:
    """Parameters after `options.steps` of AdamW on the weighted cross-entropy.

    The learning rate is warmed up, then falls by a cosine. Equal pool and options give equal parameters (on one kind
    of machine).
    """
    parameters = start or initial_parameters(np.random.default_rng([options.seed, 7]))
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, options.learning_rate, min(100, options.steps // 10 + 1), options.steps
    )
    state = _DIRECTION.init(parameters)
    for step, (images, classes, weights) in zip(range(options.steps), batches(pool, options), strict=False):
        parameters, state, loss = _update(parameters, state, schedule(step), images, classes, weights)
        if on_step is not None and (step % 50 == 0 or step == options.steps - 1):
            on_step(step, float(loss))
    return parameters


# AdamW without its learning rate, which is an argument, so that one compiled step serves all schedules.
_DIRECTION = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.add_decayed_weights(1e-4))


@jax.jit
def _update(
    parameters: Parameters, state: Any, rate: jax.Array, images: jax.Array, classes: jax.Array, weights: jax.Array
) -> tuple[Parameters, Any, jax.Array]:
    def loss(values: Parameters) -> jax.Array:
        each = optax.softmax_cross_entropy_with_integer_labels(forward(values, images), classes)
        return jnp.asarray(jnp.sum(each * weights) / jnp.maximum(jnp.sum(weights), 1.0))

    value, gradient = jax.value_and_grad(loss)(parameters)
    change, state = _DIRECTION.update(gradient, state, parameters)
    return optax.apply_updates(parameters, jax.tree.map(lambda one: -rate * one, change)), state, value


def picked_examples(picked: Sequence[PickedMicrograph], diameter_angstrom: float) -> list[Example]:
    """A user's micrographs at the network's pixel size: their particles are targets, all else is background."""
    pool = []
    for one in picked:
        work = coarser(one.image, one.pixel_size_angstrom, diameter_angstrom / SAMPLES_PER_DIAMETER)
        centres = (one.xy_px[:, ::-1] - work.offset_px) / np.array(work.scale_yx)
        pool.append(example(np.asarray(work.pixels), centres, None))
    return pool


def fine_tune(
    picked: Sequence[PickedMicrograph],
    diameter_angstrom: float,
    options: TrainingOptions,
    *,
    start: Network,
    on_step: Callable[[int, float], None] | None = None,
) -> Network:
    """The network trained further, on a user's micrographs and as many simulated scenes.

    Its scores are calibrated on other simulated scenes, as the shipped network's are, since a user's picks are rarely
    complete. Raises CliError where a micrograph is too small for a crop.
    """
    own = picked_examples(picked, diameter_angstrom)
    for one, prepared in zip(picked, own, strict=True):
        if min(prepared.image.shape) < options.crop_px:
            raise CliError(
                f"{one.path}: {min(one.image.shape)} px are too few for training at a diameter of "
                f"{diameter_angstrom:g} Å"
            )
    simulated = simulated_examples(options)
    repeats = -(-len(simulated) // len(own))
    parameters = train([*simulated, *(own * repeats)], options, start=start.parameters, on_step=on_step)
    return Network(parameters, calibrated(parameters, options.seed, options.calibration_scenes, options.scene_px))


def train_shipped(path: Path, options: TrainingOptions, say: Callable[[str], None]) -> None:
    """Train from nothing on simulated scenes, calibrate, and write the weights file."""
    began = time.monotonic()
    pool = simulated_examples(options)
    say(f"{len(pool)} scenes in {time.monotonic() - began:.0f} s")
    parameters = train(
        pool, options, on_step=lambda step, loss: say(f"step {step} loss {loss:.4f} {time.monotonic() - began:.0f} s")
    )
    calibration = calibrated(parameters, options.seed, options.calibration_scenes, options.scene_px)
    say(f"{calibration} {time.monotonic() - began:.0f} s")
    about = {"seed": options.seed, "steps": options.steps, "scenes": options.scenes}
    with written_whole(path) as temporary:
        temporary.write_bytes(write_network(Network(parameters, calibration), about))


if __name__ == "__main__":
    import sys

    def _say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    if len(sys.argv) != 2:
        sys.exit("usage: python -m warpcore.cli.picker WEIGHTS.npz (trains the shipped network from nothing)")
    if Path(sys.argv[1]).exists():
        sys.exit(f"{sys.argv[1]}: exists; name a new file")
    train_shipped(Path(sys.argv[1]), TrainingOptions(), _say)
