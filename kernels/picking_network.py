"""A small convolutional network that tells particles, background and junk apart, at 16 px a diameter.

The weights ship in `picker_weights/` and come from `warpcore.cli.picker`'s training on simulated scenes. File format: a NumPy
`.npz` archive read without pickle, one float16 array a parameter named `<layer>.weight` [kh, kw, in, out] and
`<layer>.bias` [out], and `about`, UTF-8 JSON bytes (format, seed, steps, thresholds).
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage

from warpcore.kernels.picking import TOUCHING, resized_mask
from warpcore.kernels.picking_correlation import coarser
from warpcore.kernels.picking_peaks import find_peaks
from warpcore.kernels.picking_shapes import Contrast
from warpcore.kernels.simulation_scenes import SAMPLES_PER_DIAMETER

Parameters = dict[str, jax.Array]

BACKGROUND, PARTICLE, JUNK = 0, 1, 2
STRIDE = 2
"""Working pixels an output cell; cell i is centred at 2i + 0.5."""
FORMAT = "warpcore-picker-1"
_MULTIPLE = 8
_BACKGROUND_FACTOR = 9.0
_BACKGROUND_DIAMETERS = 2.0  # what is smoother than a Gaussian of this is not looked at

# name: (kernel, input channels, output channels, stride)
_LAYERS: dict[str, tuple[int, int, int, int]] = {
    "full": (3, 1, 12, 1),
    "half_down": (3, 12, 24, 2),
    "half": (3, 24, 24, 1),
    "quarter_down": (3, 24, 48, 2),
    "quarter_a": (3, 48, 48, 1),
    "quarter_b": (3, 48, 48, 1),
    "eighth_down": (3, 48, 48, 2),
    "eighth_a": (3, 48, 48, 1),
    "eighth_b": (3, 48, 48, 1),
    "quarter_up": (3, 96, 48, 1),
    "half_up": (3, 72, 24, 1),
    "classes": (1, 24, 3, 1),
}


class NetworkPicks(NamedTuple):
    """Positions in px of the micrograph and scores from 0 to 1, best first."""

    x_px: np.ndarray
    y_px: np.ndarray
    scores: np.ndarray


class WeightsError(ValueError):
    """A weights file that is not one; the text says what is wrong."""


def pick_network(
    image: jax.Array | np.ndarray,
    *,
    pixel_size_angstrom: float,
    diameter_angstrom: float,
    threshold: float = 0.5,
    minimum_distance_angstrom: float | None = None,
    contrast: Contrast = "dark",
    parameters: Parameters | None = None,
    valid: np.ndarray | None = None,
) -> NetworkPicks:
    """Particles of about a diameter in a micrograph [h, w], by the shipped network (or other parameters).

    The score is the probability of a particle's centre against background (`particle_score`); `valid` [h, w] (bool) leaves
    junk out. Raises ValueError for a diameter that the micrograph cannot hold.
    """
    if not 4 * pixel_size_angstrom <= diameter_angstrom <= 0.8 * min(image.shape) * pixel_size_angstrom:
        raise ValueError(f"diameter {diameter_angstrom:g} Å does not fit: 4 px to 80 % of the shorter side is allowed")
    work = coarser(image, pixel_size_angstrom, diameter_angstrom / SAMPLES_PER_DIAMETER)
    pixels = np.asarray(work.pixels) if contrast == "dark" else -np.asarray(work.pixels)
    sampling = diameter_angstrom / SAMPLES_PER_DIAMETER / work.pixel_size_angstrom
    zoom = 1.0
    if sampling < 0.95:  # a micrograph coarser than the network's pixel
        zoom = 1 / sampling
        pixels = scipy.ndimage.zoom(pixels, zoom, order=3, grid_mode=True, mode="nearest")
    score = particle_score(probabilities(parameters or shipped_parameters(), network_input(pixels)))
    if valid is not None:
        score = score * (resized_mask(valid, score.shape) > 0.5)
    smooth = scipy.ndimage.gaussian_filter(score, 0.7)
    distance = minimum_distance_angstrom if minimum_distance_angstrom is not None else TOUCHING * diameter_angstrom
    cell = STRIDE / zoom
    peaks = find_peaks(smooth, 0.05, distance / (work.pixel_size_angstrom * cell))
    scores = score[peaks.row, peaks.column]
    order = np.argsort(-scores, kind="stable")
    y, x = work.to_micrograph((peaks.y + 0.5) * cell - 0.5, (peaks.x + 0.5) * cell - 0.5)
    kept = order[scores[order] >= threshold]
    kept = kept[(x[kept] >= 0) & (y[kept] >= 0) & (x[kept] <= image.shape[1] - 1) & (y[kept] <= image.shape[0] - 1)]
    return NetworkPicks(x[kept], y[kept], scores[kept])


def particle_score(probability: np.ndarray) -> np.ndarray:
    """Score of a particle's centre from class probabilities [..., 3]: particle against 9 times background.

    Training shows particles far more often than a micrograph has them for its area; with the factor, 0.5 is the level at which
    simulated empty ice of 2048² gives less than one pick (2 at a diameter of 60 Å). Junk counts a twentieth of background:
    its class keeps particles off films and crystals, but on ice that training never showed it is too ready (a third of
    crowded real micrographs). Masking is the junk mask's task (`picking_junk`).
    """
    particle = probability[..., PARTICLE]
    other = probability[..., BACKGROUND] + 0.05 * probability[..., JUNK]
    return np.asarray(particle / (particle + _BACKGROUND_FACTOR * other + 1e-12))


def network_input(pixels: np.ndarray) -> np.ndarray:
    """A working image [h, w] as the network sees it: smooth background taken away, robust unit spread, outliers clipped."""
    level = scipy.ndimage.gaussian_filter(pixels, _BACKGROUND_DIAMETERS * SAMPLES_PER_DIAMETER, mode="nearest")
    flat = pixels - level
    low, middle, high = np.percentile(flat, [16, 50, 84])
    return np.asarray(np.clip((flat - middle) / max((high - low) / 2, 1e-12), -6, 6), np.float32)


def probabilities(parameters: Parameters, ready: np.ndarray) -> np.ndarray:
    """Class probabilities [h/2, w/2, 3] of one prepared image [h, w]."""
    height, width = ready.shape
    # Borders: mirrored, in steps of 64 px so that near sizes share a compiled network.
    fill = [(16, 16 + (-(n + 32)) % 64) for n in (height, width)]
    padded = np.pad(ready, fill, mode="reflect") if min(height, width) > 80 else np.pad(ready, fill, mode="edge")
    logits = np.asarray(_forward_jit(parameters, jnp.asarray(padded[None])))[0]
    start = 16 // STRIDE
    logits = logits[start : start + math.ceil(height / STRIDE), start : start + math.ceil(width / STRIDE)]
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True))


def forward(parameters: Parameters, images: jax.Array) -> jax.Array:
    """Logits [B, h/2, w/2, 3] of prepared images [B, h, w], sides multiples of 8: a U of four scales with two joins."""
    x = _conv(parameters, "full", images[..., None])
    half = _conv(parameters, "half", _conv(parameters, "half_down", x))
    quarter = _conv(parameters, "quarter_down", half)
    quarter = quarter + _conv(parameters, "quarter_b", _conv(parameters, "quarter_a", quarter))
    eighth = _conv(parameters, "eighth_down", quarter)
    eighth = eighth + _conv(parameters, "eighth_b", _conv(parameters, "eighth_a", eighth))
    quarter = _conv(parameters, "quarter_up", jnp.concatenate([quarter, _doubled(eighth)], axis=-1))
    half = _conv(parameters, "half_up", jnp.concatenate([half, _doubled(quarter)], axis=-1))
    return _conv(parameters, "classes", half, activate=False)


_forward_jit = jax.jit(forward)


def initial_parameters(rng: np.random.Generator) -> Parameters:
    """Random parameters, variance scaled by the inputs of each layer (He et al. 2015)."""
    parameters: Parameters = {}
    for name, (kernel, inputs, outputs, _) in _LAYERS.items():
        spread = math.sqrt(2 / (kernel * kernel * inputs)) * (0.1 if name == "classes" else 1.0)
        weight = spread * rng.normal(size=(kernel, kernel, inputs, outputs))
        parameters[f"{name}.weight"] = jnp.asarray(weight, jnp.float32)
        parameters[f"{name}.bias"] = jnp.zeros(outputs)
    return parameters


def write_parameters(parameters: Parameters, about: dict[str, Any]) -> bytes:
    """The weights file's bytes."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value, np.float16) for name, value in parameters.items()}
    text = json.dumps({"format": FORMAT, **about}, sort_keys=True).encode()
    np.savez_compressed(buffer, about=np.frombuffer(text, np.uint8), **arrays)
    return buffer.getvalue()


def read_parameters(content: bytes) -> Parameters:
    """Parameters from a weights file's bytes. Raises WeightsError where names or shapes are not this network's."""
    try:
        archive = np.load(io.BytesIO(content), allow_pickle=False)
        about = json.loads(archive["about"].tobytes())
        arrays = {name: np.asarray(archive[name], np.float32) for name in archive.files if name != "about"}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(f"not a picker's weights file: {error}") from None
    if about.get("format") != FORMAT:
        raise WeightsError(f"weights of format {about.get('format')!r}; {FORMAT!r} is needed")
    wanted = {name: value.shape for name, value in initial_parameters(np.random.default_rng(0)).items()}
    if {name: array.shape for name, array in arrays.items()} != wanted:
        raise WeightsError("weights of another network: names or shapes differ")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise WeightsError("weights hold non-finite values")
    return {name: jnp.asarray(array) for name, array in arrays.items()}


@lru_cache(maxsize=1)
def shipped_parameters() -> Parameters:
    """The parameters that come with the package."""
    return read_parameters(files("warpcore.kernels").joinpath("picker_weights", "general.npz").read_bytes())


def _conv(parameters: Parameters, name: str, x: jax.Array, activate: bool = True) -> jax.Array:
    stride = _LAYERS[name][3]
    y = jax.lax.conv_general_dilated(
        x, parameters[f"{name}.weight"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    y = y + parameters[f"{name}.bias"]
    return jax.nn.leaky_relu(y, 0.1) if activate else y


def _doubled(x: jax.Array) -> jax.Array:
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
