"""A small convolutional network that tells particles, background and junk apart, at 16 px a diameter.

The weights ship in `shipped/` (`_weights` has the format) and come from `warpcore.cli.picker`'s training on
simulated scenes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage

from warpcore.kernels.image import smoothed
from warpcore.kernels.picking._correlation import coarser, resized_mask
from warpcore.kernels.picking._peaks import find_peaks
from warpcore.kernels.picking._picks import LEAST_SCORE, TOUCHING, Picks
from warpcore.kernels.picking._shapes import Contrast
from warpcore.kernels.picking._weights import LAYERS, Network, Parameters, shipped_network
from warpcore.kernels.simulate import SAMPLES_PER_DIAMETER

BACKGROUND, PARTICLE, JUNK = 0, 1, 2
STRIDE = 2
"""Working pixels an output cell; cell i is centred at 2i + 0.5."""
_BACKGROUND_DIAMETERS = 2.0  # a Gaussian of this width is taken off as background
_LARGEST_LOG_ODDS = 8.0  # beyond, the network's certainty is no longer a measurement


class Candidates(NamedTuple):
    """Places in px of the micrograph that may be particles, with the network's log odds, best first.

    `decoys` are the log odds of such places on the inverted image, where no particle is: what chance reaches on this
    micrograph. `area` is the area looked at in squared diameters.
    """

    x_px: np.ndarray
    y_px: np.ndarray
    log_odds: np.ndarray
    decoys: np.ndarray
    area: float


def pick_network(
    image: jax.Array | np.ndarray,
    *,
    pixel_size_angstrom: float,
    diameter_angstrom: float,
    threshold: float = 0.5,
    minimum_distance_angstrom: float | None = None,
    contrast: Contrast = "dark",
    network: Network | None = None,
    valid: np.ndarray | None = None,
) -> Picks:
    """Particles of about a diameter in a micrograph [h, w], by the shipped network (or another).

    The score is the probability that a candidate is a particle (`Calibration`); `valid` [h, w] (bool) leaves junk out.
    Raises ValueError for a diameter that the micrograph cannot hold.
    """
    chosen = network or shipped_network()
    found = candidates(
        image,
        chosen.parameters,
        pixel_size_angstrom=pixel_size_angstrom,
        diameter_angstrom=diameter_angstrom,
        minimum_distance_angstrom=minimum_distance_angstrom,
        contrast=contrast,
        valid=valid,
    )
    scores = chosen.calibration.scores(found)
    kept = scores >= max(threshold, LEAST_SCORE)
    return Picks(found.x_px[kept], found.y_px[kept], scores[kept], chosen.calibration.certainty(found))


def candidates(
    image: jax.Array | np.ndarray,
    parameters: Parameters,
    *,
    pixel_size_angstrom: float,
    diameter_angstrom: float,
    minimum_distance_angstrom: float | None = None,
    contrast: Contrast = "dark",
    valid: np.ndarray | None = None,
) -> Candidates:
    """All local maxima of the smoothed log odds of a particle, thinned to the minimum distance from better ones."""
    if not 4 * pixel_size_angstrom <= diameter_angstrom <= 0.8 * min(image.shape) * pixel_size_angstrom:
        raise ValueError(f"diameter {diameter_angstrom:g} Å does not fit: 4 px to 80 % of the shorter side is allowed")
    work = coarser(image, pixel_size_angstrom, diameter_angstrom / SAMPLES_PER_DIAMETER)
    pixels = np.asarray(work.pixels) if contrast == "dark" else -np.asarray(work.pixels)
    sampling = diameter_angstrom / SAMPLES_PER_DIAMETER / work.pixel_size_angstrom
    zoom = 1.0
    if sampling < 0.95:  # a micrograph coarser than the network's pixel
        zoom = 1 / sampling
        pixels = scipy.ndimage.zoom(pixels, zoom, order=3, grid_mode=True, mode="nearest")
    ready = network_input(pixels)
    distance = minimum_distance_angstrom if minimum_distance_angstrom is not None else TOUCHING * diameter_angstrom
    cell = STRIDE / zoom
    seen = None if valid is None else resized_mask(valid, tuple(math.ceil(n / STRIDE) for n in ready.shape)) > 0.5
    odds, decoy_odds = (_smooth_log_odds(parameters, one, seen) for one in (ready, -ready))
    # Just above the lower limit: where the network is sure of no particle there is no candidate.
    least, apart = 0.5 - _LARGEST_LOG_ODDS, distance / (work.pixel_size_angstrom * cell)
    peaks = find_peaks(odds, least, apart, places=odds + _turned_log_odds(parameters, ready, seen))
    decoys = find_peaks(decoy_odds, least, apart)
    y, x = work.to_micrograph((peaks.y + 0.5) * cell - 0.5, (peaks.x + 0.5) * cell - 0.5)
    inside = (x >= 0) & (y >= 0) & (x <= image.shape[1] - 1) & (y <= image.shape[0] - 1)
    share = 1.0 if seen is None else float(seen.mean())
    area = share * math.prod(image.shape) * (pixel_size_angstrom / diameter_angstrom) ** 2
    return Candidates(x[inside], y[inside], peaks.value[inside], decoys.value, area)


def _smooth_log_odds(parameters: Parameters, ready: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Smoothed log odds of a particle in each cell [h/2, w/2] of a prepared image; the least where nothing is seen."""
    smooth = scipy.ndimage.gaussian_filter(particle_log_odds(probabilities(parameters, ready)), 0.7)
    return smooth if seen is None else np.where(seen, smooth, -_LARGEST_LOG_ODDS)


def _turned_log_odds(parameters: Parameters, ready: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """The same cells of the image turned by 180°.

    Learnt filters are not quite symmetric, so that all positions lie off by the same part of a pixel: half a pixel of
    1.35 Å in y for apoferritin. Turned, the other way; the sum of both has no direction of its own.
    """
    # Even sides: cells of two pixels then cover the same ones from either end.
    even = np.pad(ready, [(0, n % STRIDE) for n in ready.shape], mode="reflect")
    turned = None if seen is None else seen[::-1, ::-1]
    return _smooth_log_odds(parameters, np.ascontiguousarray(even[::-1, ::-1]), turned)[::-1, ::-1]


def particle_log_odds(probability: np.ndarray) -> np.ndarray:
    """Log odds of a particle's centre from class probabilities [..., 3], between -8 and 8."""
    particle = probability[..., PARTICLE]
    other = probability[..., BACKGROUND] + probability[..., JUNK]
    ratio = np.log(np.maximum(particle, 1e-12)) - np.log(np.maximum(other, 1e-12))
    return np.asarray(np.clip(ratio, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS))


def network_input(pixels: np.ndarray) -> np.ndarray:
    """A working image [h, w] as the network takes it: background removed, robust spread 1, outliers clipped."""
    level = smoothed(pixels, _BACKGROUND_DIAMETERS * SAMPLES_PER_DIAMETER, "nearest")
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
    """Logits [B, h/2, w/2, 3] of prepared images [B, h, w], sides multiples of 16: a U of five scales, three joins."""
    half = _conv(parameters, "half", _conv(parameters, "half_down", _conv(parameters, "full", images[..., None])))
    quarter = _deeper(parameters, "quarter", half)
    eighth = _deeper(parameters, "eighth", quarter)
    sixteenth = _deeper(parameters, "sixteenth", eighth)
    eighth = _joined(parameters, "eighth_up", eighth, sixteenth)
    quarter = _joined(parameters, "quarter_up", quarter, eighth)
    half = _joined(parameters, "half_up", half, quarter)
    return _conv(parameters, "classes", half, activate=False)


def _deeper(parameters: Parameters, scale: str, x: jax.Array) -> jax.Array:
    """Half the pixels, then two convolutions beside an identity."""
    y = _conv(parameters, f"{scale}_down", x)
    return y + _conv(parameters, f"{scale}_b", _conv(parameters, f"{scale}_a", y))


def _joined(parameters: Parameters, name: str, fine: jax.Array, coarse: jax.Array) -> jax.Array:
    return _conv(parameters, name, jnp.concatenate([fine, _doubled(coarse)], axis=-1))


_forward_jit = jax.jit(forward)


def _conv(parameters: Parameters, name: str, x: jax.Array, activate: bool = True) -> jax.Array:
    stride = LAYERS[name][3]
    y = jax.lax.conv_general_dilated(
        x, parameters[f"{name}.weight"], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    y = y + parameters[f"{name}.bias"]
    return jax.nn.leaky_relu(y, 0.1) if activate else y


def _doubled(x: jax.Array) -> jax.Array:
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
