"""Training of the picking network: on simulated scenes for the shipped weights, on a user's picks to fine-tune them.

Needs the extra `warpcore[train]`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from warpcore.cli.errors import CliError
from warpcore.cli.picker_calibration import calibrated
from warpcore.cli.picker_data import PickedMicrograph
from warpcore.cli.picker_examples import Example, TrainingOptions, batches, picked_examples, simulated_examples
from warpcore.kernels.picking import Network, Parameters, forward, initial_parameters, write_network
from warpcore.services.session.paths import written_whole

CHECKPOINT_STEPS = 250
"""After so many steps the state of the training is kept."""


def train(
    pool: Sequence[Example],
    options: TrainingOptions,
    *,
    start: Parameters | None = None,
    on_step: Callable[[int, float], None] | None = None,
    checkpoint: Path | None = None,
) -> Parameters:
    """Parameters after `options.steps` of AdamW on the weighted cross-entropy.

    The learning rate is warmed up, then falls by a cosine. Equal pool and options give equal parameters (on one kind
    of machine). With a file `checkpoint` the state is kept there now and then, and a run goes on from it.
    """
    parameters = start or initial_parameters(np.random.default_rng([options.seed, 7]))
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, options.learning_rate, min(100, options.steps // 10 + 1), options.steps
    )
    state, first = _DIRECTION.init(parameters), 0
    if checkpoint is not None and checkpoint.exists():
        first, (parameters, state) = _resumed(checkpoint, (parameters, state))
    for step, (images, classes, weights) in enumerate(
        itertools.islice(batches(pool, options, first), options.steps - first), first
    ):
        parameters, state, loss = _update(parameters, state, schedule(step), images, classes, weights)
        if on_step is not None and (step % 50 == 0 or step == options.steps - 1):
            on_step(step, float(loss))
        if checkpoint is not None and (step + 1) % CHECKPOINT_STEPS == 0:
            _keep(checkpoint, step + 1, (parameters, state))
    return parameters


def _keep(path: Path, step: int, state: Any) -> None:
    arrays = {str(number): np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, step=np.asarray(step), **arrays)  # type: ignore[arg-type]


def _resumed(path: Path, like: Any) -> tuple[int, Any]:
    with np.load(path, allow_pickle=False) as archive:
        leaves = [jnp.asarray(archive[str(number)]) for number in range(len(jax.tree.leaves(like)))]
        return int(archive["step"]), jax.tree.unflatten(jax.tree.structure(like), leaves)


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


def train_shipped(path: Path, options: TrainingOptions, say: Callable[[str], None], work: Path) -> None:
    """Train from nothing on simulated scenes, calibrate, and write the weights file.

    Scenes and the state of the training are kept in the folder `work`: stopped, it goes on from there.
    """
    began = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    pool = simulated_examples(options, work, say)
    say(f"{len(pool)} scenes in {time.monotonic() - began:.0f} s")
    parameters = train(
        pool,
        options,
        on_step=lambda step, loss: say(f"step {step} loss {loss:.4f} {time.monotonic() - began:.0f} s"),
        checkpoint=work / "training.npz",
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

    if len(sys.argv) != 3:
        sys.exit("usage: python -m warpcore.cli.picker WEIGHTS.npz WORK (trains the shipped network from nothing)")
    if Path(sys.argv[1]).exists():
        sys.exit(f"{sys.argv[1]}: exists; name a new file")
    train_shipped(Path(sys.argv[1]), TrainingOptions(), _say, Path(sys.argv[2]))
